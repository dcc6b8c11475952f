"""The default number of steps of a series that form one token."""

from typing import Any

from keras_fpt.layers import num_patches
from keras_fpt.models import ModelOptions
from keras_fpt.runs.resolved import ResolvedRun
from keras_fpt.tasks import Task

# A series that is patched by default becomes at most this many tokens.
MOST_PATCHES = 64
# The context of a forecast becomes at most this many: the output layer reads
# all of them, and papers make patches of 8 to 16 steps.
MOST_OF_FORECASTS = 16


def patch_size(run: ResolvedRun, backbone: Any) -> int | None:
    """The patch size of a run.

    A size that was given is kept. Otherwise your own series of vectors are
    patched
    where they have more steps than the backbone has positions: with the
    smallest size that makes at most `MOST_PATCHES` tokens. Contexts of
    forecasts become at most `MOST_OF_FORECASTS`. All others keep a token for
    each step, as in earlier versions, whose runs stay what they are.

    Args:
        run: a `ResolvedRun`.
        backbone: its backbone.
    """
    chosen, task = run.model.patch_size, run.task
    if chosen is not None or run.source is None or task.input_dim is None:
        return chosen
    if task.is_forecast:
        return num_patches(task.sequence_length, MOST_OF_FORECASTS)
    limit = getattr(backbone, "max_sequence_length", None)
    if limit is None or task.sequence_length <= limit:
        return None
    if task.num_output_tokens > 1 or task.is_per_token:
        return None
    return num_patches(task.sequence_length, min(MOST_PATCHES, limit))


def num_tokens(task: Task, options: ModelOptions) -> int:
    """The number of tokens that the blocks receive of the longest example.

    Args:
        task: a `Task`.
        options: `ModelOptions`.
    """
    stride = options.patch_stride or options.patch_size or 1
    return num_patches(task.sequence_length, stride)
