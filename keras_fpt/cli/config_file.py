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
# Options that may be given several times, each with a string.
_REPEATED = tuple(
    field.name
    for field in dataclasses.fields(TaskOptions)
    if field.type == list[str] | None
)
# Options that name files or folders.
_PATHS = ("data_dir", "validation", "test", "labels")


def read(path: Path) -> tuple[RunConfig, frozenset[str]]:
    """The configuration in a file, and the names of the settings it has.

    Relative paths in a TOML file are relative to its folder.

    Args:
        path: a `.toml` file with options by the names of their flags, or the
            `config.json` of a run.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it is damaged, names no task, or has an unknown option.
    """
    if path.suffix.lower() == ".json":
        config = RunConfig.read(path)
        return config, frozenset(config.settings())
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
        raise ValueError(
            f"`{path}`: expected task to be a name or path, as text."
        )
    entry = {
        name: _from_folder_of(path, name, value)
        for name, value in entry.items()
    }
    options = {
        name: [value] if name in _REPEATED and type(value) is str else value
        for name, value in entry.items()
        if name in _OPTIONS
    }
    where = f"`{path}`"
    json_files.from_dict(TaskOptions, options, where)  # Checks the types.
    options = given_options(options)
    settings = {k: v for k, v in entry.items() if k in known}
    defaults = RunConfig(settings["task"])
    settings = {**defaults.settings(), **settings, "options": options}
    config = RunConfig.from_settings(settings, where)
    return config, frozenset(entry)


def _from_folder_of(path: Path, name: str, value: Any) -> Any:
    is_path = name in _PATHS or (name == "task" and looks_like_path(value))
    if is_path and isinstance(value, str):
        return os.path.normpath(path.parent / Path(value).expanduser())
    return value
