"""What tells runs of one arm apart, in words."""

from keras_fpt.runs import arms
from keras_fpt.runs.config import RunConfig

STRUCTURE = (
    "preset",
    "policy",
    "depth",
    "readout",
    "learned_positions",
    "quantize",
    "dtype",
)


def describe(config):
    """A run's arm and what of its settings is not the arm's own.

    Args:
        config: a `RunConfig`, resolved or not.

    >>> describe(RunConfig("digits", arm="fpt", depth=2))
    'fpt (depth 2)'
    """
    told = settings(config.arm, vars(config), STRUCTURE)
    return f"{config.arm} ({told})" if told else config.arm


def settings(arm, values, names):
    """Those of an arm's settings that are not its own.

    Args:
        arm: string.
        values: dict from names of `RunConfig`'s fields to values.
        names: the settings that are told.

    Returns:
        String, empty where there are none.
    """
    arm = arms.get(arm)
    words = []
    for name in names:
        value = values[name]
        default = RunConfig.__dataclass_fields__[name].default
        if is_none(value) or value in (default, getattr(arm, name, default)):
            continue
        shown = f" {value}"
        if isinstance(value, float):  # pandas has made a float of an int.
            shown = f" {value:g}"
        elif value is True:
            shown = ""
        elif name == "preset":
            shown = f" {str(value).rstrip('/').rpartition('/')[-1]}"
        words.append(f"{name.replace('_', ' ')}{shown}")
    return ", ".join(words)


def is_none(value):
    """Whether a value is `None`, or what pandas makes of it in a column."""
    return value is None or value != value


def label(runs):
    """For each run, what its arm's final runs differ in.

    What all final runs of an arm on a task have in common is not told, since
    it says nothing of one beside another.

    Args:
        runs: `pandas.DataFrame` with the columns of `RunConfig` and `final`.

    Returns:
        List of strings, empty for an arm as it comes.
    """
    differ = {}
    for key, group in runs[runs["final"]].groupby(["task", "arm"]):
        differ[key] = [
            name
            for name in STRUCTURE
            if len({None if is_none(v) else v for v in group[name]}) > 1
        ]
    return [
        settings(row["arm"], row, differ.get((row["task"], row["arm"]), ()))
        for row in runs.to_dict("records")
    ]
