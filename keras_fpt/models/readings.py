"""Attention scores and frozen features of a model.

The functions are methods of `FPTClassifier`, which is their first argument.
"""

import dataclasses
import os
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fpt.compat import jax_lost_state
from keras_fpt.models import attention_scores as attention_recording
from keras_fpt.models import data_gate
from keras_fpt.models import frozen_features as features


class NoAttentionError(ValueError):
    """A backbone has no attention, such as an LSTM."""


def attention_scores(
    model: Any, x: Any, average_heads: bool = True
) -> np.ndarray:
    """How much each token attends to each other token, in every block.

    KerasHub's own layers compute it, without dropout, for all of `x` at
    once.

    Args:
        x: as `predict` takes it, array or dict of arrays.
        average_heads: bool, whether to return the mean over the heads.

    Returns:
        Float array `(blocks, batch, queries, keys)`, or
        `(blocks, batch, heads, queries, keys)`. Each row sums to 1, or to
        less where a family lets heads attend to nothing. Blocks without
        attention over all tokens (Qwen 3.5 has some) are left out.

    Raises:
        NoAttentionError: the backbone has no attention.

    Source: Lu et al. (2021), on what the frozen layers attend to.
    """
    x = data_gate.checked(model, x)
    x = keras.tree.map_structure(ops.convert_to_tensor, x)
    plain = dataclasses.replace(model.cut, fast=None)
    with (
        jax_lost_state.waiting(model),
        attention_recording.recorded() as recorded,
    ):
        embeddings, mask, _ = model.embed(x)
        plain(embeddings, mask, training=False)
    if not recorded:
        raise NoAttentionError(
            f"{type(model.backbone).__name__} has no attention."
        )
    scores = np.stack(recorded)
    return scores.mean(axis=2) if average_heads else scores


def frozen_features(
    model: Any,
    x: Any,
    batch_size: int = 32,
    path: str | os.PathLike[str] | None = None,
) -> np.ndarray:
    """The hidden states that the output layer reads, for `feature_head`.

    While only the output layer trains, and without dropout, they are the
    same in every epoch, so they need to be computed only once. Examples
    must not be augmented.

    Args:
        x: array of tokens, or a dict of tokens and a `padding_mask`.
        batch_size: int, how many examples are computed at a time.
        path: `.npy` file for features that do not fit into memory. `None`
            keeps them in memory.

    Returns:
        float32 array `(n, num_output_tokens, dim)`.

    Raises:
        ValueError: more than the output layer trains, the model has
            dropout, or `x` does not fit it.
        OSError: the file cannot be written, or the disk is full.

    Example:

    ```python
    model = keras_fpt.FPTClassifier.from_preset(
        "gpt2_tiny_en", num_classes=3, policy="output_only", dropout=0
    )
    head = model.feature_head()
    head.fit(model.frozen_features(x), y, epochs=100)
    model.evaluate(x_test, y_test)  # with the output layer just trained
    ```
    """
    features.check_constant(model)
    x = data_gate.checked(model, x)
    batches = features.batched(x, batch_size)
    count = len(keras.tree.flatten(x)[0])
    with jax_lost_state.waiting(model):
        return features.compute(model, batches, np.arange(count), path)


def feature_head(model: Any) -> keras.Model:
    """A `keras.Model` of only the output layer, on `frozen_features`.

    It shares the output layer, the optimizer and the compile arguments with
    this model, so training it trains this model.

    Raises:
        ValueError: more than the output layer trains, or the model has
            dropout.
    """
    return features.head(model)
