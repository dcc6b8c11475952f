"""`--config FILE`: a command's options in a TOML file, or a run's JSON file."""

import dataclasses
import os
import tomllib
from pathlib import Path
from typing import Any

from keras_fpt.cli.task_options import TaskOptions, given_options
from keras_fpt.files import json_files, looks_like_path
from keras_fpt.runs import RunConfig

_OPTIONS = tuple(field.name for field in dataclasses.fields(TaskOptions))
# Options that name files or folders.
_PATHS = ("data_dir", "validation", "test", "labels")


def read(path: Path) -> RunConfig:
    """The configuration in a file.

    Relative paths in a TOML file are relative to its folder.

    Args:
        path: a `.toml` file with options by the names of their flags, or the
            `config.json` of a run.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it is damaged, names no task, or has an unknown option.
    """
    if path.suffix.lower() == ".json":
        return RunConfig.read(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file `{path}`.")
    try:
        entry = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"`{path}` is not TOML: {error}") from error
    entry = {name.replace("-", "_"): value for name, value in entry.items()}
    known = RunConfig("").settings().keys() - {"options", "source"}
    for name in entry:
        if name not in known and name not in _OPTIONS:
            raise ValueError(
                f"`{path}`: unknown option '{name}'. Expected one of "
                f"{', '.join(sorted({*known, *_OPTIONS}))}."
            )
    if not isinstance(entry.get("task"), str):
        raise ValueError(f"`{path}`: expected task = a name or path, as text.")
    entry = {
        name: _from_folder_of(path, name, value)
        for name, value in entry.items()
    }
    options = {k: v for k, v in entry.items() if k in _OPTIONS}
    if isinstance(options.get("label_column"), str):
        options["label_column"] = [options["label_column"]]
    where = f"`{path}`"
    json_files.from_dict(TaskOptions, options, where)  # Checks the types.
    options = given_options(options)
    settings = {k: v for k, v in entry.items() if k in known}
    defaults = RunConfig(settings["task"])
    settings = {**defaults.settings(), **settings, "options": options}
    return RunConfig.from_settings(settings, where)


def _from_folder_of(path: Path, name: str, value: Any) -> Any:
    is_path = name in _PATHS or (name == "task" and looks_like_path(value))
    if is_path and isinstance(value, str):
        return os.path.normpath(path.parent / Path(value).expanduser())
    return value
