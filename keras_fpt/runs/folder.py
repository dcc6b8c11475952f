"""The folder of a run: its files, its lock, and checks before writing to it.

Folders of runs in a study are named by `run_store.run_name`.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from keras_fpt import files, options, tasks
from keras_fpt.files import atomic, folder_lock, json_files, outputs
from keras_fpt.presets import Preset
from keras_fpt.runs import checkpoint_folder, measures
from keras_fpt.runs.config import RunConfig
from keras_fpt.runs.event_files import SPLITS
from keras_fpt.runs.file_names import (
    ADAPTER,
    AUDIT,
    CHECKPOINTS,
    CONFIG,
    CURVES,
    DATA,
    DIVERGED,
    FEATURES,
    HISTORY,
    MANIFEST,
    METRICS,
    TENSORBOARD,
    TEST_EXAMPLES,
)
from keras_fpt.runs.resolved import ResolvedRun

Path = str | os.PathLike[str]

LOCK = folder_lock.LOCK
lock = folder_lock.lock
# When a run is removed, the metrics are removed first, since they show that it
# is finished, and the configuration last: as long as it exists, the folder is
# known to contain a run.
_ALL = (
    METRICS,
    DIVERGED,
    TEST_EXAMPLES,
    HISTORY,
    ADAPTER,
    CURVES,
    CHECKPOINTS,
    FEATURES,
    DATA,
    AUDIT,
    MANIFEST,
    TENSORBOARD,
    CONFIG,
)


def new_folder(task: str, arm: str) -> pathlib.Path:
    """Creates `runs/<task>-<arm>-<n>`, with the first unused n."""
    name = files.safe_name(task)
    number = 1
    while True:
        folder = pathlib.Path("runs", f"{name}-{arm}-{number}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1


def check_output(
    folder: Path,
    resume: bool,
    overwrite: bool,
    take_over: str | None = None,
) -> None:
    """Checks, before any work is done, that a run may be written to a folder.

    Args:
        folder: path.
        resume: bool, whether an existing run is to be resumed.
        overwrite: bool, whether an existing run is to be replaced.
        take_over: string, the process that may be writing to it, or `None`;
            see `lock`.

    Raises:
        FileExistsError: the folder contains something that must not be touched,
            or links to other folders.
        BlockingIOError: another process is writing to it.
        PermissionError: the folder cannot be written to.
    """
    outputs.refuse_dash(folder)
    folder = pathlib.Path(folder)
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"The output `{folder}` is a file, not a folder.")
    outputs.check_writable(folder)
    check_links(folder)
    if (folder / LOCK).exists() and take_over is None:
        with lock(folder):
            pass
    _check_content(folder, resume, overwrite)


def check_links(folder: Path) -> None:
    """Raises `FileExistsError` where a run's files are links to others."""
    files.refuse_links(folder, (*_ALL, *folder_lock.FILES))


def _check_content(folder: pathlib.Path, resume: bool, overwrite: bool) -> None:
    if not folder.exists() or all(map(_is_leftover, folder.iterdir())):
        return
    try:
        read_config(folder)
    except (FileNotFoundError, ValueError) as error:
        raise FileExistsError(
            f"The output folder `{folder}` is not empty and contains no run. "
            "Choose another one."
        ) from error
    if not (resume or overwrite):
        raise FileExistsError(
            f"The output folder `{folder}` already contains a run. Use "
            "--resume to continue it, --overwrite to replace it, or another "
            "folder."
        )


def _is_leftover(path: pathlib.Path) -> bool:
    """Whether a path was left by a run that was killed as it started."""
    is_lock = path.name in folder_lock.FILES
    return is_lock or path.match(f"{CONFIG}.*{atomic.SUFFIX}")


def initialize(
    folder: Path, run: ResolvedRun, resume: bool, overwrite: bool
) -> None:
    """Writes a run's configuration into a folder that `lock` has created.

    Raises:
        FileExistsError: as `check_output` does.
        ValueError: the run to resume has another configuration.
    """
    folder = pathlib.Path(folder)
    _check_content(folder, resume, overwrite)
    if overwrite and not resume:
        clear(folder)
    _clear_leftovers(folder)
    if (folder / CONFIG).exists():
        check_same_config(folder, run)
    else:
        files.write_text(folder / CONFIG, run.to_json())


def remove_checkpoints(folder: Path) -> None:
    """Removes the checkpoints, which a finished run no longer needs."""
    checkpoint_folder.remove(pathlib.Path(folder, CHECKPOINTS))


def _clear_leftovers(folder: pathlib.Path) -> None:
    """Removes files that a killed process was writing."""
    for name in _ALL:
        for path in folder.glob(f"{name}.*{atomic.SUFFIX}"):
            path.unlink()


def clear(folder: Path) -> None:
    """Removes a run's files and nothing else."""
    for name in _ALL:
        path = pathlib.Path(folder, name)
        if name == CHECKPOINTS:
            checkpoint_folder.remove(path)
        elif name == TENSORBOARD:
            # Those of version 0.1.0 are in the folder itself.
            for inner in (*(path / name for name in SPLITS), path):
                for events in inner.glob("events.out.tfevents.*"):
                    events.unlink()
                with contextlib.suppress(OSError):  # It contains other files.
                    inner.rmdir()
        else:
            path.unlink(missing_ok=True)


def delete(folder: Path) -> None:
    """Removes a run, and its folder if it contains nothing else.

    Raises:
        FileNotFoundError: the folder contains no run.
        BlockingIOError: a process is writing to it.
    """
    read_config(folder)
    check_links(folder)
    with lock(folder):
        clear(folder)
    with contextlib.suppress(OSError):
        pathlib.Path(folder).rmdir()


def read_config(folder: Path) -> RunConfig:
    """The `RunConfig` of the run in a folder.

    Raises:
        FileNotFoundError: the folder contains no run.
    """
    path = pathlib.Path(folder, CONFIG)
    if not path.is_file():
        message = f"The folder `{folder}` contains no run: it has no {CONFIG}."
        inner = sorted(path.parent.glob(f"*/{CONFIG}"))
        if inner:
            message += f" One of its subfolders does: `{inner[0].parent}`."
        raise FileNotFoundError(message)
    return RunConfig.read(path)


def is_tested(metrics: Mapping[str, Any]) -> bool:
    """Whether a run's metrics include its test split."""
    return any(f"test_{name}" in metrics for name in measures.BY_NAME)


def as_started(folder: Path, config: RunConfig) -> RunConfig:
    """A configuration with the values of the version that started a run.

    Args:
        folder: path, which may contain a run.
        config: the `RunConfig` to resume it with.
    """
    if not pathlib.Path(folder, CONFIG).is_file():
        return config
    saved = read_config(folder)
    return config.with_settings(
        **{
            name: getattr(saved, name)
            for name in options.former(config)
            if getattr(config, name) is None
        }
    )


def at_started_precision(folder: Path, run: ResolvedRun) -> ResolvedRun:
    """A run with the precision that `"auto"` chose when it was started.

    It computes the same wherever it is resumed.

    Args:
        folder: path, which may contain a run.
        run: the `ResolvedRun` to resume it with.
    """
    is_open = run.model.precision == "auto"
    if not is_open or not pathlib.Path(folder, CONFIG).is_file():
        return run
    precision = read_config(folder).model.precision
    model = dataclasses.replace(run.model, precision=precision)
    return dataclasses.replace(run, model=model)


def finished_adapter(folder: Path) -> pathlib.Path:
    """The path of a finished run's adapter.

    Raises:
        FileNotFoundError: the run is not finished.
    """
    path = pathlib.Path(folder, ADAPTER)
    if not path.is_file():
        raise FileNotFoundError(
            f"The run in `{folder}` is not finished: it has no {ADAPTER}. "
            "Continue it with --resume."
        )
    return path


def is_finished(folder: Path) -> bool:
    """Whether the run in a folder is finished; its metrics come last."""
    return pathlib.Path(folder, METRICS).is_file()


def is_paused(folder: Path) -> bool:
    """Whether the run in a folder has paused, and can be trained further."""
    return is_finished(folder) and bool(read_metrics(folder).get("paused"))


def trains_on(folder: Path, until: int | None) -> bool:
    """Whether a run has paused before a step up to which it is to train.

    Args:
        folder: path.
        until: int, the step; `None` is the run's last one.
    """
    if not is_paused(folder):
        return False
    return until is None or read_metrics(folder)["trained_steps"] < until


def has_diverged(folder: Path) -> bool:
    """Whether the run in a folder of a study ended since it diverged."""
    return pathlib.Path(folder, DIVERGED).is_file()


def is_open(folder: Path, until: int | None) -> bool:
    """Whether a run of a study is to be trained, perhaps further.

    Args:
        folder: path, which need not exist.
        until: int, as of `trains_on`.
    """
    if has_diverged(folder):
        return False
    return not is_finished(folder) or trains_on(folder, until)


def write_diverged(folder: Path, error: str, final: bool) -> None:
    """Saves why a run ended, and whether it was to be tested."""
    files.write_text(
        pathlib.Path(folder, DIVERGED),
        json.dumps({"error": error, "final": final}, indent=2) + "\n",
    )


def read_metrics(folder: Path) -> dict[str, Any]:
    """The dict in a run's `metrics.json`."""
    return json_files.read_object(pathlib.Path(folder, METRICS))


def check_same_config(folder: Path, run: ResolvedRun) -> None:
    """Checks that the run in a folder has the same configuration as another.

    The paths of the data may differ, and so may that of the preset where a
    manifest tells whether its weights are the same.

    Raises:
        ValueError: it has another configuration.
    """
    saved, current = read_config(folder).settings(), run.settings()
    ignored = {"data_dir", "source"}
    if pathlib.Path(folder, MANIFEST).is_file():
        presets = saved["preset"], current["preset"]
        if all(map(is_preset_path, presets)):
            ignored.add("preset")
        for settings in (saved, current):
            settings["options"] = {
                k: v
                for k, v in settings["options"].items()
                if k not in tasks.PATH_OPTIONS
            }
    for name, value in current.items():
        if name not in ignored and saved[name] != value:
            raise ValueError(
                f"The run in `{folder}` has {name}={saved[name]} but received "
                f"{name}={value}. Resume it with the same settings, or choose "
                "another folder."
            )


def is_preset_path(preset: str) -> bool:
    """Whether a preset is a file or folder, rather than a name."""
    return Preset.parse(preset).kind in ("local", "gguf")
