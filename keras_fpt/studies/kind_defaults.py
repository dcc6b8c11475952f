"""Defaults of commands that depend on the kind of data.

They are those of the commands, not of `RunConfig`, so that runs and studies of
earlier versions, and programs, keep theirs.
"""

import logging
from collections.abc import Collection
from typing import Any

from keras_fpt.layers import num_patches
from keras_fpt.runs import RunConfig, resolve
from keras_fpt.studies import rival_data
from keras_fpt.studies.folds import each_fold, needs_folds
from keras_fpt.tasks import Task

LOGGER = logging.getLogger(__name__)
# A series becomes about so many tokens, and at most so many. Images of at most
# so many, and tables, are read from all tokens: see docs/series.md and
# benchmarks/RESULTS.md.
TOKENS, MOST_TOKENS = 8, 64
# The numbers that a token joins, unless there would be too many tokens: as
# many as `gpt2_tiny_en`'s hidden states have.
VALUES_PER_TOKEN = 256
# Settings that are chosen together.
PATCHES = {"patch_size", "patch_stride"}


def patches(task: Task) -> dict[str, int]:
    """How a series is cut into tokens: its `patch_size` and `patch_stride`.

    Patches overlap by half, as those of PatchTST and GPT4TS do, unless they
    would be wide.

    Args:
        task: a `Task` whose tokens are vectors.

    Returns:
        Dict; empty if each step is a token.
    """
    few = num_patches(task.sequence_length, TOKENS)
    narrow = max(1, VALUES_PER_TOKEN // (task.input_dim or 1))
    most = num_patches(task.sequence_length, MOST_TOKENS)
    stride = max(min(few, narrow), most)
    if stride == 1:
        return {}
    size = max(stride, min(2 * stride, narrow))
    return {"patch_size": size, "patch_stride": stride}


def of_kind(task: Task) -> dict[str, Any]:
    """The settings of a task's kind of data; empty if it has none.

    Forecasts have their own.

    Args:
        task: a `Task`.
    """
    if task.is_forecast:
        return {}
    if task.is_per_token:
        return {"readout": "token+mean"}
    kind = rival_data.data_kind(task)
    if kind == rival_data.TABLE:
        return {"readout": "flatten"}
    if kind == rival_data.IMAGES:
        reads_all = task.sequence_length <= MOST_TOKENS
        return {"readout": "flatten" if reads_all else "last+mean"}
    if kind == rival_data.SERIES:
        return patches(task) | {"readout": "last+mean"}
    if kind == rival_data.STRINGS:
        return {"readout": "last+mean"}
    return {}


def in_words(settings: dict[str, Any]) -> str:
    """Settings as the log shows them.

    >>> in_words({"patch_size": 3, "readout": "last+mean"})
    'patch size 3, readout last+mean'
    """
    return ", ".join(
        f"{name.replace('_', ' ')} {value}" for name, value in settings.items()
    )


def with_kind_defaults(
    config: RunConfig, given: Collection[str], begun: RunConfig | None = None
) -> RunConfig:
    """A configuration with the defaults of its kind, if the data is the user's.

    The package's own tasks keep the settings of the paper.

    Args:
        config: a `RunConfig`.
        given: names of the settings that the user has chosen, which stay.
        begun: the `RunConfig` of the run or study that is continued, whose
            settings are taken instead; `None` for a new one.
    """
    names = {*PATCHES, "readout"} - set(given)
    if not names.issuperset(PATCHES):
        names -= PATCHES
    if begun is not None:
        kept = begun.settings()
        return config.with_settings(**{name: kept[name] for name in names})
    if not names or config.recipe is not None:
        return config
    first = config
    if needs_folds(config.options):
        first = each_fold(config)[0]
    run = resolve(first)
    if run.source is None:
        return config
    found = {
        name: value
        for name, value in of_kind(run.task).items()
        if name in names
    }
    if found:
        LOGGER.info(f"Defaults for this kind of data: {in_words(found)}.")
    return config.with_settings(**found)
