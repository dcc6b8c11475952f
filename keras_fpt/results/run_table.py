"""All runs in a folder as one table."""

import csv
import os
import pathlib
from typing import Any

from keras_fpt.files import json_files
from keras_fpt.results import run_labels
from keras_fpt.runs import folder as run_folder

Path = str | os.PathLike[str]

# Columns that exist even if no run is finished.
MEASURED = (
    "train_accuracy",
    "validation_accuracy",
    "test_accuracy",
    "test_majority_accuracy",
    "wall_seconds",
    "trainable_parameters",
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
        its arm, in words; what is in its `config.json`; and of a finished run
        what is in its `metrics.json`, `MEASURED` at least, NaN for the others.

    Raises:
        FileNotFoundError: the folders hold no run.
        ValueError: a file of a run is damaged.
    """
    import pandas as pd

    run_folders = {
        path.parent
        for folder in folders
        for path in pathlib.Path(folder).rglob(run_folder.CONFIG)
    }
    rows = [_row(folder) for folder in sorted(run_folders)]
    if not rows:
        shown = ", ".join(f"`{folder}`" for folder in folders)
        raise FileNotFoundError(f"There is no run in {shown}.")
    runs = pd.DataFrame(rows)
    runs = runs.reindex(columns=runs.columns.union(MEASURED, sort=False))
    return runs.assign(settings=run_labels.label(runs))


def _row(folder: pathlib.Path) -> dict[str, Any]:
    config = run_folder.read_config(folder)
    row: dict[str, Any] = {
        "folder": str(folder),
        "status": "unfinished",
        "final": False,
        **config.settings(),
    }
    if (folder / run_folder.DIVERGED).is_file():
        row |= json_files.read_object(folder / run_folder.DIVERGED)
        row["status"] = "diverged"
    if run_folder.is_finished(folder):
        row |= json_files.read_object(folder / run_folder.METRICS)
        row["status"], row["final"] = "finished", "test_accuracy" in row
    return row


def finished_final(runs: Any) -> Any:
    """The rows of `load_runs` whose runs have read the test split."""
    return runs[runs["final"] & (runs["status"] == "finished")]


def read_history(folder: Path) -> list[dict[str, Any]]:
    """The rows in a run's `history.csv`, as dicts of numbers.

    Raises:
        FileNotFoundError: the run has not been evaluated yet.
    """
    with pathlib.Path(folder, run_folder.HISTORY).open() as file:
        return [
            {k: int(v) if k == "step" else float(v) for k, v in row.items()}
            for row in csv.DictReader(file)
        ]
