"""The folder of a study, with a file that describes the study.

The folders of its runs are named by `run_name` in `runs/run_store.py`.
"""

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from keras_fpt import files
from keras_fpt.files import json_files
from keras_fpt.runs import ResolvedRun, RunConfig, manifest

# The digest of the data that a study was started with, and where the data is,
# relative to the folder. Studies of earlier versions do not have it.
DATA = "data_digest.json"


def initialize(
    folder: str | os.PathLike[str],
    name: str,
    text: str,
    what: str,
    run: ResolvedRun | None = None,
) -> None:
    """Writes the description of a study into its folder, new or empty.

    If the folder contains the same study, nothing is changed.

    Args:
        folder: path.
        name: string, the file that describes the study.
        text: string, its description, a JSON object.
        what: string, the kind of study, for errors.
        run: a `ResolvedRun` on its data; `None` if it names no data.

    Raises:
        FileExistsError: the folder contains another study, something else, or
            links.
        ValueError: the description in the folder is damaged, or the data has
            changed since the study started.
    """
    files.outputs.refuse_dash(folder)
    folder = pathlib.Path(folder)
    path = folder / name
    data = run.named_data if run else None
    described = json_files.parse_object(text, f"The {what}")
    if folder.is_dir():
        # Links within each run's folder are refused when it is trained.
        files.refuse_links(
            folder,
            [
                entry.name
                for entry in folder.iterdir()
                if entry.is_symlink() or entry.name != "runs"
            ],
        )
    if path.is_file():
        if not is_same_study(json_files.read_object(path), described):
            raise FileExistsError(
                f"The folder `{folder}` contains a {what} with other settings "
                f"(see {name}). Choose another folder."
            )
        _check_data(folder, what, data)
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(
            f"The output folder `{folder}` is not empty and contains no "
            f"{what}. Choose another one."
        )
    folder.mkdir(parents=True, exist_ok=True)
    files.write_text(path, text)
    paths = manifest.relative_paths(run, folder) if run else {}
    entry = {"data": data, "paths": paths}
    files.write_text(folder / DATA, json.dumps(entry, indent=2) + "\n")


def locate(config: RunConfig, folder: str | os.PathLike[str]) -> RunConfig:
    """The configuration of a study's runs, with its paths where they are now.

    Paths that exist relative to the study's folder, as when the study started,
    are taken before those that the configuration names.

    Args:
        config: a `RunConfig`, as the file in the folder describes it.
        folder: path of the study's folder.
    """
    path = pathlib.Path(folder, DATA)
    paths = json_files.read_object(path).get("paths") if path.is_file() else {}
    if not isinstance(paths, dict):
        return config
    return manifest.with_paths(
        config, folder, {k: v for k, v in paths.items() if isinstance(v, str)}
    )


def is_same_study(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two descriptions are of one study, however paths are spelled.

    What is in the files that they name is compared by digests.

    Args:
        one, other: dicts, whose `run` is a `RunConfig.identity`, or that have
            such dicts.
    """
    return _without_paths(one) == _without_paths(other)


def _without_paths(described: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(described.get("run"), dict):
        return {  # Studies of folds have another one within.
            name: _without_paths(value) if isinstance(value, dict) else value
            for name, value in described.items()
        }
    return {**described, "run": _run_without_paths(described["run"])}


def _run_without_paths(run: Mapping[str, Any]) -> dict[str, Any]:
    kept = manifest.without_folders(run)
    return {name: value for name, value in kept.items() if name != "source"}


def _check_data(folder: pathlib.Path, what: str, data: str | None) -> None:
    path = folder / DATA
    if path.is_file() and json_files.read_object(path).get("data") != data:
        raise ValueError(
            f"The data has changed since the {what} in `{folder}` started, so "
            "its runs could not be compared. Restore the earlier data, or "
            "choose another folder."
        )
