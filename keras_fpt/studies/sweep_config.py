"""What a sweep is, as data."""

import dataclasses
import hashlib
import itertools
import json
import types
import typing

from keras_fpt.files import json_files
from keras_fpt.runs import arms
from keras_fpt.runs.config import RunConfig

DEFAULT_SEARCH = {"learning_rate": (3e-4, 1e-3, 3e-3)}
# Those have an argument of their own.
_FIXED = ("task", "arm", "seed", "options", "source", "data_dir")


@dataclasses.dataclass(frozen=True)
class SweepConfig:
    """Arms, each at the best of the settings that are tried for it.

    Args:
        run: `RunConfig`, what all runs have in common. Its seed is that of
            the search, and the first of those after it.
        arms: tuple of strings, keys of `keras_fpt.runs.arms.ARMS`.
        search: dict from names of `RunConfig`'s fields to a tuple of the
            values to try, or to a `Range`. Several tuples make a grid.
        trials: int, runs of each arm's search where there is a range: they
            are chosen by Optuna. `None` otherwise.
        seeds: int, runs of each arm at its best settings.
    """

    run: RunConfig
    arms: tuple[str, ...] = ("fpt", "random")
    search: dict = dataclasses.field(
        default_factory=lambda: dict(DEFAULT_SEARCH)
    )
    trials: int | None = None
    seeds: int = 3

    def __post_init__(self):
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
        for name in self.search:
            _field(name)
        if not self.is_sampled and self.trials is not None:
            raise ValueError(
                "A grid has as many trials as it has points. Give trials where "
                "there is a range to search, such as learning_rate=1e-4:1e-2."
            )
        if self.is_sampled and (self.trials is None or self.trials < 1):
            raise ValueError(
                "Say how many trials to spend on the range: at least 1, but "
                f"received {self.trials}."
            )

    @property
    def is_sampled(self):
        """Whether there is a range, so that Optuna chooses what to try."""
        return any(isinstance(v, Range) for v in self.search.values())

    @property
    def points(self):
        """The grid: list of dicts of settings."""
        return [
            dict(zip(self.search, values, strict=True))
            for values in itertools.product(*self.search.values())
        ]

    @property
    def name(self):
        """The same for the same sweep, on any machine."""
        digest = hashlib.sha256(self.to_json().encode()).hexdigest()[:10]
        return f"{self.run.task}-{digest}"

    def configs(self, settings):
        """For each arm, its `RunConfig` with some settings."""
        return {
            arm: dataclasses.replace(self.run, arm=arm, **settings)
            for arm in self.arms
        }

    def to_json(self):
        """The configuration as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def read(cls, path):
        """Reads a file with what `to_json` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is not a sweep's configuration.
        """
        where = f"This is not a sweep's configuration: `{path}`"
        entry = json_files.read_object(path)
        entry["run"] = json_files.from_dict(RunConfig, entry.get("run"), where)
        if isinstance(entry.get("search"), dict):
            entry["search"] = {
                name: _searched(values, f"{where}, {name}")
                for name, values in entry["search"].items()
            }
        return json_files.from_dict(cls, entry, where)


@dataclasses.dataclass(frozen=True)
class Range:
    """All numbers between two; their logarithms are drawn, if positive.

    Args:
        low: int or float.
        high: int or float, above `low`. Whole numbers are drawn where both
            are ints.
    """

    low: float
    high: float

    def __post_init__(self):
        if not self.low < self.high:
            raise ValueError(
                f"Expected a range to rise but received {self.low:g}:"
                f"{self.high:g}."
            )


def _searched(values, where):
    """What JSON gave for a tuple of values, or for a `Range`."""
    if isinstance(values, list):
        return tuple(values)
    return json_files.from_dict(Range, values, where)


def parse_search(text):
    """A name and what to try for it, from text.

    Args:
        text: string, `name=value,value,...` or `name=low:high`.

    Returns:
        Tuple of the name and a tuple of values, or a `Range`.

    Raises:
        ValueError: there is no such setting, or a value is not of its type.

    >>> parse_search("learning_rate=1e-4,1e-3")
    ('learning_rate', (0.0001, 0.001))
    >>> parse_search("dropout=0:0.5")
    ('dropout', Range(low=0, high=0.5))
    """
    name, values = _split(text, "learning_rate=1e-4,1e-3 or dropout=0:0.5")
    if ":" in values:
        low, _, high = values.partition(":")
        return name, Range(_value(name, low), _value(name, high))
    return name, tuple(_value(name, value) for value in values.split(","))


def parse_setting(text):
    """A name and a value of a run, from text such as `depth=2`.

    Raises:
        ValueError: there is no such setting, or the value is not of its type.
    """
    name, value = _split(text, "depth=2")
    return name, _value(name, value)


def _split(text, example):
    name, equals, value = text.partition("=")
    name = name.strip().replace("-", "_")
    if not (equals and value):
        raise ValueError(f"Expected something like {example} but found {text}.")
    _field(name)
    return name, value


def _field(name):
    """The types that a field of `RunConfig` may have."""
    hints = typing.get_type_hints(RunConfig)
    if name not in hints or name in _FIXED:
        known = ", ".join(name for name in hints if name not in _FIXED)
        raise ValueError(
            f"There is no setting '{name}' to choose. Expected one of {known}."
        )
    hint = hints[name]
    return (
        typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    )


def _value(name, text):
    kinds, text = _field(name), text.strip()
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
