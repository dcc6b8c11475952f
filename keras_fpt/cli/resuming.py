"""`--resume FOLDER`: reads a command's earlier options from its folder.

Options may be given again. The library checks that they are the same; paths may
have changed.
"""

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_fpt.cli import early
from keras_fpt.cli.task_options import given_options

_FIRST_FOLD = "fold-1"

Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Continue in an existing folder: give --resume FOLDER instead of "
        "the task and its options.",
    ),
]


def given_flags(context: typer.Context, values: dict[str, Any]) -> dict:
    """The values that were given on the command line.

    Args:
        context: `typer.Context` of the command.
        values: dict from names of parameters to values.
    """
    return {
        name: value
        for name, value in values.items()
        if getattr(context.get_parameter_source(name), "name", "")
        == "COMMANDLINE"
    }


def saved_run(folder: str, settings: dict, options: dict) -> Any:
    """The `RunConfig` of a folder's run, or of the folds in it.

    Args:
        folder: string, path of the folder.
        settings, options: dicts of what was given again.

    Raises:
        ValueError: the folder contains no run.
    """
    from keras_fpt import runs

    path, dropped = Path(folder), []
    if early.is_run(path / _FIRST_FOLD):
        path, dropped = path / _FIRST_FOLD, ["fold"]
    config = runs.manifest.locate(runs.folder.read_config(path), path)
    kept = {k: v for k, v in config.options.items() if k not in dropped}
    config = dataclasses.replace(config, options={**kept, **options})
    return config.with_settings(**settings)


def divide_patch_size(
    task: str | None, settings: dict, options: dict, known: Any = None
) -> None:
    """Gives --patch-size to images or to the model: both have this flag.

    Images are cut into patches as they are read, and series by the model.

    Args:
        task: string, the task, its file, or the folder of a run.
        settings, options: dicts of a run's settings and of its task's options.
        known: the `RunConfig` of a study that is resumed, which names the
            task; `None` for others.
    """
    from keras_fpt import runs, tasks

    if known is None and task is not None and early.is_run(Path(task)):
        known = runs.folder.read_config(task)
    options_then: dict = {}
    if known is not None:
        task, options_then = known.source or known.task, known.options
    is_read = task is not None and tasks.takes_option(
        task, "patch_size", {**options_then, **given_options(options)}
    )
    (settings if is_read else options).pop("patch_size", None)


def require_folder(text: str, names: tuple[str, ...], what: str) -> Path:
    """The folder to resume, which is given in place of the task.

    Args:
        text: string, the first argument.
        names: tuple of paths, one of which the folder must have.
        what: string, the command.

    Raises:
        ValueError: the folder has none of them.
    """
    if not has_any(text, names):
        raise ValueError(
            f"`{text}` is not the folder of a `keras-fpt {what}`. Give the "
            f"folder to resume as `keras-fpt {what} --resume FOLDER`, or with "
            "--output in addition to the task."
        )
    return Path(text)


def has_any(folder: str | Path, names: tuple[str, ...]) -> bool:
    """Whether a folder has one of the files of a run or of a study."""
    return any(Path(folder, name).is_file() for name in names)


def saved_study(cls: Any, folder: Path, name: str) -> Any:
    """The configuration of a folder's study, or of its folds.

    Its paths are those where its files are now.

    Args:
        cls: `SweepConfig` or `Comparison`.
        folder: path.
        name: string, the file that describes one.
    """
    if (folder / name).is_file():
        return with_paths(cls.read(folder / name), folder)
    study = cls.read(folder / _FIRST_FOLD / name)
    kept = {k: v for k, v in study.run.options.items() if k != "fold"}
    run = dataclasses.replace(study.run, options=kept)
    return with_paths(dataclasses.replace(study, run=run), folder)


def with_paths(study: Any, folder: Path) -> Any:
    """A folder's study, with its paths where its files are now."""
    from keras_fpt.studies import study_folder

    run = study_folder.locate(study.run, folder)
    return dataclasses.replace(study, run=run)


def study_files(name: str) -> tuple[str, str]:
    """Where the file of a study is, and that of a study of folds."""
    return name, f"{_FIRST_FOLD}/{name}"


RUN_FILES = ("config.json", f"{_FIRST_FOLD}/config.json")
