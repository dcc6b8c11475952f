"""The configuration of a sweep, and how its settings are typed.

Which of the values tried is the best is decided in `optuna_studies.best_trial`.
"""

import dataclasses
import hashlib
import itertools
import json
import math
import os
import pathlib
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from keras_fpt.files import json_files
from keras_fpt.models import ModelOptions
from keras_fpt.runs import RunConfig, arms
from keras_fpt.studies import stack_size, study_folder
from keras_fpt.studies.stack_size import AUTO, OFF

DEFAULT_SEARCH = {"learning_rate": (3e-4, 1e-3, 3e-3)}
# The behavior of sweeps before these options existed.
_BEFORE = {"shares_seed": True, "extensions": 0, "stack": OFF}
# These have their own arguments.
_FIXED = ("task", "arm", "seed", "options", "source", "data_dir")


@dataclasses.dataclass(frozen=True)
class SweepConfig:
    """A sweep over arms, each at the best of the settings tried for it.

    Args:
        run: `RunConfig`, what all runs have in common. Its seed is that of
            the search.
        arms: tuple of strings, keys of `keras_fpt.runs.arms.ARMS`.
        search: dict from names of a run's settings to a tuple of the values
            to try, or to a `Range`. Several tuples make a grid.
        trials: int, number of runs in each arm's search if there is a range;
            Optuna chooses them. `None` otherwise.
        seeds: int, number of runs of each arm at its best settings. Their
            seeds follow that of the search.
        shares_seed: bool, whether the first of them has the seed of the
            search, and so is the run that was chosen. Its accuracy is then
            higher than another seed's.
        extensions: int, how many learning rates may be tried beyond those of
            a grid, by all arms, while an arm's best is the lowest or the
            highest tried.
        stack: string, how many runs train in one step, see
            `keras_fpt.models.StackedClassifiers`: a number, `"off"` for one by
            one, or `"auto"`, as many as is faster here. Sweeps of earlier
            versions have `"off"`.
    """

    run: RunConfig
    arms: tuple[str, ...] = ("fpt", "random")
    search: dict[str, Any] = dataclasses.field(
        default_factory=lambda: dict(DEFAULT_SEARCH)
    )
    trials: int | None = None
    seeds: int = 3
    shares_seed: bool = False
    extensions: int = 3
    stack: str = AUTO

    def __post_init__(self) -> None:
        names = tuple(arm.replace("-", "_") for arm in self.arms)
        object.__setattr__(self, "arms", names)
        for name in self.arms:
            arms.get(name)
        if not self.arms or len(set(self.arms)) < len(self.arms):
            raise ValueError(
                f"Expected different arms but received {self.arms}."
            )
        if self.seeds < 1:
            raise ValueError(
                f"Expected at least 1 seed but received {self.seeds}."
            )
        if self.extensions < 0:
            raise ValueError(
                "Expected at least 0 extensions but received "
                f"{self.extensions}."
            )
        stack_size.check(self.stack)
        for name in self.search:
            _types(name)
        if not self.is_sampled and self.trials is not None:
            raise ValueError(
                "A grid has as many trials as it has points. Give trials only "
                "for a range to search, such as learning_rate=1e-4:1e-2."
            )
        if self.is_sampled and (self.trials is None or self.trials < 1):
            raise ValueError(
                "A range needs trials (--trials), the number of runs that "
                f"search it: at least 1, but received {self.trials}."
            )

    @property
    def is_sampled(self) -> bool:
        """Whether there is a range, in which Optuna chooses what to try."""
        return any(isinstance(v, Range) for v in self.search.values())

    @property
    def points(self) -> list[dict[str, Any]]:
        """The grid: list of dicts of settings."""
        return [
            dict(zip(self.search, values, strict=True))
            for values in itertools.product(*self.search.values())
        ]

    @property
    def num_search_trials(self) -> int:
        """Number of runs in each arm's search."""
        return len(self.points) if self.trials is None else self.trials

    def as_started(
        self, path: str | os.PathLike[str], within: str | None = None
    ) -> Self:
        """This sweep as an earlier version has started it.

        Args:
            path: the file that `to_json` was written to, if there is one.
            within: string, the entry of the file that has it; `None` is the
                file itself.

        Returns:
            A `SweepConfig` with the options of that version, if the file is
            its; otherwise this one.
        """
        path = pathlib.Path(path)
        if not path.is_file():
            return self
        saved: Any = json_files.read_object(path)
        if within is not None:
            saved = saved.get(within)
        if not isinstance(saved, dict):
            return self
        stack = OFF if self.stack == AUTO else self.stack
        for before in (
            dataclasses.replace(self, stack=stack),
            dataclasses.replace(
                self, shares_seed=True, extensions=0, stack=stack
            ),
        ):
            if study_folder.is_same_study(saved, json.loads(before.to_json())):
                return before
        return self

    @property
    def first_seed(self) -> int:
        """The first seed of the runs at the best settings."""
        return self.run.seed + (not self.shares_seed)

    def configs(self, settings: dict[str, Any]) -> dict[str, RunConfig]:
        """For each arm, its `RunConfig` with some settings.

        Arms whose weights are not drawn at random go without the settings of
        the draw, so that one search of both kinds of arms is possible.
        """
        configs = {}
        for arm in self.arms:
            config = self.run.with_settings(arm=arm, **settings)
            if not arms.get(arm).takes_init:
                config = config.with_settings(
                    **{n: getattr(RunConfig, n) for n in arms.INIT_SETTINGS}
                )
            configs[arm] = config
        return configs

    def to_json(self) -> str:
        """The configuration as JSON text."""
        entry = {**dataclasses.asdict(self), "run": self.run.identity()}
        # Sweeps of earlier versions do not have these, and stay as they were.
        for name, before in _BEFORE.items():
            if entry[name] == before:
                del entry[name]
        return json.dumps(entry, indent=2) + "\n"

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Reads a file that contains the text of `to_json`.

        Raises:
            FileNotFoundError: the file does not exist.
            ValueError: it is not a sweep's configuration.
        """
        where = f"This is not a sweep's configuration: `{path}`"
        entry = json_files.read_object(path)
        if not isinstance(entry.get("run"), dict):
            raise ValueError(f"{where}: expected an object 'run'.")
        run = RunConfig.from_settings(entry.pop("run"), where)
        search = entry.pop("search", None)
        if not isinstance(search, dict):
            raise ValueError(f"{where}: expected an object 'search'.")
        searched = {
            name: _searched(values, f"{where}, {name}")
            for name, values in search.items()
        }
        entry = _BEFORE | entry | {"run": run, "search": searched}
        return json_files.from_dict(cls, entry, where)


def study_name(path: str | os.PathLike[str]) -> str:
    """The name of a sweep's studies, the same on every machine.

    Args:
        path: the file that `SweepConfig.to_json` was written to.
    """
    text = pathlib.Path(path).read_text(encoding="utf-8")
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    return f"{json.loads(text)['run']['task']}-{digest}"


@dataclasses.dataclass(frozen=True)
class Range:
    """All numbers between two; if positive, drawn on a logarithmic scale.

    Args:
        low: int or float.
        high: int or float, above `low`. If both are ints, whole numbers are
            drawn.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(
                "Expected a range from a lower to a higher finite number but "
                f"received {self.low:g}:{self.high:g}."
            )


def _searched(values: Any, where: str) -> "tuple[Any, ...] | Range":
    """A tuple of values, or a `Range`, from JSON."""
    if isinstance(values, list):
        return tuple(values)
    return json_files.from_dict(Range, values, where)


def parse_search(text: str) -> tuple[str, tuple[Any, ...] | Range]:
    """A setting's name and the values to try for it, from text.

    Args:
        text: string, `name=value,value,...` or `name=low:high`.

    Returns:
        Tuple of the name and a tuple of values, or a `Range`.

    Raises:
        ValueError: the setting is unknown, or a value is not of its type.

    >>> parse_search("learning_rate=1e-4,1e-3")
    ('learning_rate', (0.0001, 0.001))
    >>> parse_search("dropout=0:0.5")
    ('dropout', Range(low=0, high=0.5))
    """
    name, values = _split(text, "learning_rate=1e-4,1e-3 or dropout=0:0.5")
    if ":" in values:
        low, _, high = values.partition(":")
        return name, Range(_value(name, low), _value(name, high))
    found = tuple(_value(name, value) for value in values.split(","))
    if len(set(found)) < len(found):
        raise ValueError(f"Expected different values but received {text}.")
    return name, found


def parse_setting(text: str) -> tuple[str, Any]:
    """A setting's name and its value, from text such as `depth=2`.

    Raises:
        ValueError: the setting is unknown, or the value is not of its type.
    """
    name, value = _split(text, "depth=2")
    return name, _value(name, value)


def parse_each(
    texts: Iterable[str],
    parse: Callable[[str], tuple[str, Any]],
    known: Mapping[str, Any],
) -> dict[str, Any]:
    """Reads settings from several texts, each of which names another one.

    Args:
        texts: strings.
        parse: `parse_setting` or `parse_search`.
        known: dict of settings that have a value already.

    Returns:
        Dict from names to what `parse` returned for them.

    Raises:
        ValueError: a text cannot be read, or names a setting again.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, value = parse(text)
        if name in found or name in known:
            raise ValueError(
                f"Received {name} twice, the second time as {text}. Give it "
                "once."
            )
        found[name] = value
    return found


def _split(text: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    name = name.strip().replace("-", "_")
    if not (equals and value):
        raise ValueError(
            f"Expected a text such as {example} but received {text}."
        )
    _types(name)
    return name, value


def _types(name: str) -> tuple[type, ...]:
    """The types that a setting of a run may have."""
    defaults = RunConfig("").settings()
    if name not in defaults or name in _FIXED:
        known = ", ".join(name for name in defaults if name not in _FIXED)
        raise ValueError(f"Unknown setting '{name}'. Expected one of {known}.")
    if isinstance(defaults[name], bool):
        return (bool,)
    hints = typing.get_type_hints(ModelOptions)
    hint = (hints | typing.get_type_hints(RunConfig))[name]
    return (
        typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    )


def _value(name: str, text: str) -> Any:
    kinds, text = _types(name), text.strip()
    if str in kinds:
        return text
    if bool in kinds and text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        if kind in kinds or (kind is int and float in kinds):
            try:
                return kind(text)
            except ValueError:
                continue
    expected = " or ".join(k.__name__ for k in kinds if k is not type(None))
    raise ValueError(f"Expected {name} to be {expected} but found {text!r}.")
