"""Labels that distinguish runs of one arm by the options that differ."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from keras_fpt import options
from keras_fpt.models import ModelOptions
from keras_fpt.presets import Preset
from keras_fpt.runs import RunConfig, arms

_DESCRIBED = (
    *options.names(RunConfig, describes_run=True),
    *options.names(ModelOptions, describes_run=True),
)
# The label of runs of which none of these differs.
_BUDGET = ("steps", "batch_size", "patience", "keep")
_DEFAULTS = RunConfig("").settings()


def describe(config: RunConfig) -> str:
    """A run's arm, and the options that differ from the arm's defaults.

    Args:
        config: a `RunConfig`.

    >>> describe(RunConfig("digits", arm="fpt").with_settings(depth=2))
    'fpt (depth 2)'
    """
    differences = settings(config.arm, config.settings(), _DESCRIBED)
    return f"{config.arm} ({differences})" if differences else config.arm


def settings(
    arm_name: str, values: Mapping[str, Any], names: Iterable[str]
) -> str:
    """The options of a run that differ from its arm's defaults, in words.

    Args:
        arm_name: string.
        values: dict from the names of options to values.
        names: the options to mention.

    Returns:
        String, empty if there are none.
    """
    arm = arms.get(arm_name)
    words = []
    for name in names:
        value, default = values[name], _DEFAULTS[name]
        if is_none(value) or value in (default, getattr(arm, name, default)):
            continue
        shown = f" {value}"
        if value is True:
            shown = ""
        elif isinstance(value, float):  # pandas has made a float of an int.
            shown = f" {value:g}"
        elif name == "preset":
            shown = f" {Preset.parse(value).name}"
        words.append(f"{name.replace('_', ' ')}{shown}")
    return ", ".join(words)


def is_none(value: Any) -> bool:
    """Whether a value is `None`, or what pandas converts it to in a column."""
    return value is None or value != value


def label(runs: Any) -> list[str]:
    """For each run, the options in which its arm's final runs differ, in words.

    What all final runs of an arm on a task have in common is left out, since it
    does not distinguish them.

    Args:
        runs: `pandas.DataFrame` with the columns of `RunConfig.settings` and
            `final`.

    Returns:
        List of strings, empty for a run with its arm's defaults.
    """
    differ = {}
    for key, group in runs[runs["final"]].groupby(["task", "arm"]):
        differ[key] = [name for name in _DESCRIBED if _differs(group[name])]
    rows = runs.to_dict("records")
    labels = [
        settings(row["arm"], row, differ.get((row["task"], row["arm"]), ()))
        for row in rows
    ]
    keys = ["task", "arm", "label"]
    labeled = runs.assign(label=labels)
    for key, group in labeled[labeled["final"]].groupby(keys):
        names = [name for name in _BUDGET if _differs(group[name])]
        for place in np.flatnonzero((labeled[keys] == list(key)).all(axis=1)):
            words = settings(key[1], rows[place], names)
            labels[place] = ", ".join(filter(None, (labels[place], words)))
    return labels


def _differs(values: Any) -> bool:
    return len({None if is_none(value) else value for value in values}) > 1
