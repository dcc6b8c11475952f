"""Lists, filters, sorts and compares runs for people to read.

It imports neither Keras nor pandas, so that the list appears immediately.
Tables for computations are made by `keras_fpt.results.load_runs`.
"""

import dataclasses
import operator
import os
import pathlib
import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from keras_fpt.files import json_files
from keras_fpt.runs import file_names
from keras_fpt.runs.config import RunConfig

Path = str | os.PathLike[str]

_CONDITION = re.compile(r"\s*(\w+)\s*(<=|>=|!=|=|<|>)\s*(.*?)\s*")
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


@dataclasses.dataclass(frozen=True)
class ListedRun:
    """A run's folder, settings and metrics.

    Args:
        folder: string, path of the folder.
        status: string, `"finished"`, `"diverged"` or `"unfinished"`.
        started: string, when its configuration was written, such as
            `"2026-01-31 09:30"`.
        settings: dict, the content of its `config.json`.
        metrics: dict, what its `metrics.json` contains in addition to the
            settings.
    """

    folder: str
    status: str
    started: str
    settings: dict[str, Any]
    metrics: dict[str, Any]

    @property
    def values(self) -> dict[str, Any]:
        """All values by name, for conditions and for sorting."""
        own = {name: getattr(self, name) for name in ("folder", "status")}
        return {**self.settings, **self.metrics, **own, "started": self.started}


def find(*folders: Path) -> list[ListedRun]:
    """The runs in some folders, and in folders within them, by their paths.

    Args:
        *folders: paths.

    Raises:
        FileNotFoundError: a folder does not exist.
        ValueError: a file of a run is damaged.
    """
    paths: set[pathlib.Path] = set()
    for folder in map(pathlib.Path, folders):
        if not folder.is_dir():
            raise FileNotFoundError(f"There is no folder `{folder}`.")
        paths |= {path.parent for path in folder.rglob(file_names.CONFIG)}
    return [read(path) for path in sorted(paths)]


def read(folder: Path) -> ListedRun:
    """One run.

    Raises:
        FileNotFoundError: the folder contains no run.
        ValueError: a file of the run is damaged.
    """
    folder = pathlib.Path(folder)
    path = folder / file_names.CONFIG
    if not path.is_file():
        raise FileNotFoundError(
            f"The folder `{folder}` contains no run: it has no {path.name}."
        )
    settings = RunConfig.read(path).settings()
    metrics: dict[str, Any] = {}
    status = "unfinished"
    if (folder / file_names.DIVERGED).is_file():
        status = "diverged"
    if (folder / file_names.METRICS).is_file():
        status = "finished"
        metrics = json_files.read_object(folder / file_names.METRICS)
        metrics = {k: v for k, v in metrics.items() if k not in settings}
    began = time.localtime(path.stat().st_mtime)
    started = time.strftime("%Y-%m-%d %H:%M", began)
    return ListedRun(str(folder), status, started, settings, metrics)


def where(
    runs: Iterable[ListedRun], conditions: Sequence[str]
) -> list[ListedRun]:
    """The runs that match all conditions.

    Args:
        runs: `ListedRun`s.
        conditions: strings such as `arm=fpt`, `steps>=500` or
            `status!=finished`: a name in `ListedRun.values`, a comparison and
            a value.

    Raises:
        ValueError: a condition cannot be read, or no run has such a value.
    """
    kept = list(runs)
    names = {name for run in kept for name in run.values}
    for condition in conditions:
        match = _CONDITION.fullmatch(condition)
        if match is None:
            raise ValueError(
                f"Expected a condition like arm=fpt or steps>=500 but received "
                f"{condition!r}."
            )
        name, sign, text = match.groups()
        _check_name(name, names)
        kept = [run for run in kept if _holds(run.values, name, sign, text)]
    return kept


def sort(runs: Iterable[ListedRun], name: str) -> list[ListedRun]:
    """Runs in the order of one of their values; those without it come last.

    Args:
        runs: `ListedRun`s.
        name: string, a name in `ListedRun.values`. With `-` before it, the
            highest value comes first.

    Raises:
        ValueError: no run has such a value.
    """
    runs, bare = list(runs), name.removeprefix("-")
    _check_name(bare, {known for run in runs for known in run.values})
    known = [run for run in runs if run.values.get(bare) is not None]
    missing = [run for run in runs if run.values.get(bare) is None]

    def key(run: ListedRun) -> Any:
        value = run.values[bare]
        is_number = isinstance(value, int | float)
        return (0, value, "") if is_number else (1, 0, str(value))

    return sorted(known, key=key, reverse=name != bare) + missing


# Metrics that the best run of a task is chosen by, and metrics that should be
# low.
_CHOSEN_BY = ("validation_accuracy", "validation_rmse", "validation_mse")
_ERRORS = ("_loss", "_rmse", "_mse", "_mae", "_pinball")


def best(runs: Iterable[ListedRun], name: str | None = None) -> list[ListedRun]:
    """The best finished run of each task, by a validation metric.

    Args:
        runs: `ListedRun`s.
        name: string, the metric; of a loss or an error, the lowest is the
            best. Choosing by the test split would overestimate it. `None` is
            the accuracy, for tasks whose labels are numbers the RMSE, and for
            forecasts the MSE.

    Returns:
        List of `ListedRun`s, one for each task.

    Raises:
        ValueError: no finished run has such a metric.
    """
    finished = [run for run in runs if run.status == "finished"]
    known = {known for run in finished for known in run.metrics}
    metrics = [each for each in _CHOSEN_BY if each in known]
    if name is not None or not metrics:
        metrics = [name or _CHOSEN_BY[0]]
        _check_name(metrics[0], known)
    found: dict[str, ListedRun] = {}
    for metric in metrics:
        is_error = metric.endswith(_ERRORS)
        for run in sort(finished, metric if is_error else f"-{metric}"):
            if run.metrics.get(metric) is not None:
                found.setdefault(run.settings["task"], run)
    return list(found.values())


def differences(one: ListedRun, other: ListedRun) -> list[tuple[str, Any, Any]]:
    """The settings and numbers in which two runs differ.

    Returns:
        List of tuples of a name and both values; `None` is a missing one.
    """
    first, second = one.values, other.values
    return [
        (name, first.get(name), second.get(name))
        for name in dict.fromkeys([*first, *second])
        if first.get(name) != second.get(name)
    ]


def _check_name(name: str, names: set[str]) -> None:
    if name not in names:
        raise ValueError(
            f"No run has the value '{name}'. Expected one of "
            f"{', '.join(sorted(names)) or 'none: there is no run'}."
        )


def _holds(values: dict[str, Any], name: str, sign: str, text: str) -> bool:
    value = values.get(name)
    if value is None:
        return text.lower() == "none" if sign == "=" else sign == "!="
    if isinstance(value, bool):
        return _OPERATORS[sign](str(value).lower(), text.lower())
    if isinstance(value, int | float):
        try:
            return _OPERATORS[sign](value, float(text))
        except ValueError:
            raise ValueError(
                f"Expected a number for {name} but received {text!r}."
            ) from None
    if name == "arm":
        text = text.replace("-", "_")
    return _OPERATORS[sign](str(value), text)
