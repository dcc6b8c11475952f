"""All runs in a folder as one table."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from keras_fpt.files import json_files, pictures
from keras_fpt.results import run_labels
from keras_fpt.runs import RunConfig, arms, manifest, recorder
from keras_fpt.runs import folder as run_folder

Path = str | os.PathLike[str]

read_history = recorder.read_history

# Columns that exist even if no run is finished.
MEASURED = (
    "train_accuracy",
    "validation_accuracy",
    "test_accuracy",
    "validation_majority_accuracy",
    "test_majority_accuracy",
    "wall_seconds",
    "trainable_parameters",
)


_MEASURED = (
    *("_accuracy", "_loss", "_rmse", "_mse", "_mae", "_r2"),
    *("_pinball", "_coverage", "share_seconds"),
)


def load_runs(*folders: Path) -> Any:
    """The runs in some folders, and in folders within them.

    Args:
        *folders: paths.

    Returns:
        `pandas.DataFrame` with one row per run: `folder`; `status`, which is
        `finished`, `diverged` (its loss became infinite or NaN) or
        `unfinished`; `final`, whether its test split was read, or would have
        been had it not diverged; `settings`, what tells it from others of
        its arm, in words; `group`, which is the same for runs that differ in
        nothing but the seed, by what their data and weights hold and not by
        how paths are spelled; `repeats`, whether an earlier row is of the same
        group and seed; what is in its `config.json`; and of a finished run
        what is in its `metrics.json`, `MEASURED` at least, NaN for the others.

    Raises:
        FileNotFoundError: the folders contain no run.
        ValueError: a file of a run is damaged.
    """
    import pandas as pd

    # pandas supports only UTF-8, and names of files may be other bytes.
    rows = [
        {
            name: pictures.printable(value) if isinstance(value, str) else value
            for name, value in _row(folder).items()
        }
        for folder in run_folders(*folders)
    ]
    if not rows:
        shown = ", ".join(f"`{folder}`" for folder in folders)
        raise FileNotFoundError(f"There is no run in {shown}.")
    runs = pd.DataFrame(rows)
    runs = runs.reindex(columns=runs.columns.union(MEASURED, sort=False))
    once = runs[["group", "seed", "final"]]
    return runs.assign(
        settings=run_labels.label(runs), repeats=once.duplicated()
    )


def run_folders(*folders: Path) -> list[pathlib.Path]:
    """The folders of runs among some folders and those within them, sorted."""
    return sorted(
        {
            path.parent
            for folder in folders
            for path in pathlib.Path(folder).rglob(run_folder.CONFIG)
        }
    )


def _row(folder: pathlib.Path) -> dict[str, Any]:
    if pictures.printable(str(folder)) != str(folder):
        raise ValueError(
            f"The name of the run's folder `{folder}` is not UTF-8. Rename it."
        )
    row: dict[str, Any] = {
        "folder": str(folder),
        "status": "unfinished",
        "final": False,
        **run_folder.read_config(folder).settings(),
    }
    row["group"] = _group(folder, row)
    if (folder / run_folder.DIVERGED).is_file():
        diverged = json_files.read_dataclass(
            _Diverged, folder / run_folder.DIVERGED
        )
        row |= {**vars(diverged), "status": "diverged"}
    if run_folder.is_finished(folder):
        # Its columns above stay as they are, whatever the file says.
        known = {name: row[name] for name in ("folder", "group")}
        metrics = _read_metrics(folder / run_folder.METRICS, row)
        final = run_folder.is_tested(metrics)
        if final or row["status"] != "diverged":  # Only on the test split.
            known |= {"status": "finished", "final": final}
        else:
            known |= {name: row[name] for name in ("status", "final")}
        row |= metrics | known
    return row


def _group(folder: pathlib.Path, row: Mapping[str, Any]) -> str:
    """Everything that decides a run, apart from its seed, as text.

    Runs of version 0.1.0 do not record digests of their data and weights, so
    their paths are used instead.
    """
    config = run_folder.read_config(folder)
    saved = manifest.read(folder)
    if saved is None:
        parts: list[Any] = [config.identity()]
    else:
        parts = [manifest.configuration(config.identity()), saved.data]
        if not arms.get(config.arm).draws_weights:
            parts.append(saved.weights)
    del parts[0]["seed"]
    return json.dumps(parts, sort_keys=True)


@dataclasses.dataclass(frozen=True)
class _Diverged:
    """The file of a run whose loss became infinite or NaN."""

    error: str
    final: bool


def _read_metrics(
    path: pathlib.Path, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """A run's `metrics.json`, whose values are checked.

    Args:
        path: the file.
        settings: dict that has the settings in the run's `config.json`.
    """
    metrics, where = json_files.read_object(path), f"`{path}`"
    names = RunConfig("").settings().keys()
    RunConfig.from_settings(
        {name: metrics.get(name, settings[name]) for name in names}, where
    )
    for name, value in metrics.items():
        is_measured = name in MEASURED or name.endswith(_MEASURED)
        if name == "steps_to_accuracy":  # A dict.
            continue
        is_number = isinstance(value, int | float) and value is not True
        if is_measured and value is not None and not is_number:
            raise ValueError(
                f"{where}: expected {name} to be a number but found {value!r}."
            )
        if is_number and name.endswith("_accuracy") and not 0 <= value <= 1:
            raise ValueError(
                f"{where}: expected {name} from 0 to 1 but found {value}."
            )
    return metrics


def finished_final(runs: Any) -> Any:
    """The rows of `load_runs` whose runs have read the test split."""
    return runs[runs["final"] & (runs["status"] == "finished")]
