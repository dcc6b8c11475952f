"""Checks of data before it enters a model, with errors that say what to do.

Without them, JAX ignores a label that is out of range, a wrong width fails in
the middle of a graph, and with a NaN a model learns nothing.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_fpt.data_errors import MARK


def check_shapes(
    model: Any,
    tokens_shape: Sequence[int | None],
    labels_shape: Sequence[int | None] | None = None,
    is_integer: bool | None = None,
) -> None:
    """Checks shapes against what a model was built for.

    Args:
        model: an `FPTClassifier`.
        tokens_shape: shape of the tokens, with `None` for unknown sizes.
        labels_shape: shape of the labels, or `None` without labels.
        is_integer: bool, whether the tokens are integers, or `None` where
            that is not known.

    Raises:
        ValueError: a shape does not fit.
    """
    rank = len(tokens_shape)
    if rank not in (2, 3):
        raise ValueError(
            "Expected float tokens of shape (batch, tokens, dim) or integer "
            "tokens of shape (batch, tokens) but received shape "
            f"{tuple(tokens_shape)}."
        )
    if rank == 2 and model.vocabulary_size is None:
        raise ValueError(
            "Received tokens of shape (batch, tokens). For integer tokens, "
            "build the model with vocabulary_size; for a series of single "
            "numbers, add a last axis: x[..., None]."
        )
    if rank == 2 and is_integer is False:
        raise ValueError(
            "Expected integer tokens, since the model has "
            f"vocabulary_size={model.vocabulary_size}, but received floats."
        )
    if rank == 3 and model.vocabulary_size is not None:
        raise ValueError(
            "Expected integer tokens of shape (batch, tokens), since the "
            f"model has vocabulary_size={model.vocabulary_size}, but received "
            f"shape {tuple(tokens_shape)}."
        )
    widths = {model.input_dim, tokens_shape[-1]} - {None}
    if rank == 3 and len(widths) > 1:
        raise ValueError(
            f"Expected tokens of width {model.input_dim} but received "
            f"{tokens_shape[2]}. Build a new model for tokens of another width."
        )
    _check_length(model, tokens_shape[1])
    if labels_shape is not None:
        _check_labels_shape(model, labels_shape)


def known_sizes(shape: Sequence[Any]) -> tuple[int | None, ...]:
    """A shape with `None` for sizes that are symbols in a traced graph."""
    return tuple(n if isinstance(n, int) else None for n in shape)


def _check_length(model: Any, length: int | None) -> None:
    if length is None:
        return
    limit = model.max_sequence_length
    if limit is not None and length > limit:
        raise ValueError(
            f"Expected sequences of at most {limit} tokens, the positions "
            f"that the backbone has, but received {length}. Cut the "
            "sequences, or put more into each token."
        )
    if model.readout == "last" and length < model.num_output_tokens:
        raise ValueError(
            f"The model reads the last {model.num_output_tokens} tokens but "
            f"received sequences of {length}."
        )


def _check_labels_shape(model: Any, shape: Sequence[int | None]) -> None:
    answers = model.num_answers
    expected = "(batch,)" if answers == 1 else f"(batch, {answers})"
    per_example = int(np.prod([n or 1 for n in shape[1:]]))
    if len(shape) > 2 or per_example != answers:
        raise ValueError(
            f"Expected integer labels of shape {expected} but received shape "
            f"{tuple(shape)}."
        )


def check_arrays(model: Any, x: Any, y: Any = None) -> None:
    """Checks arrays: their shapes and their values.

    Args:
        model: an `FPTClassifier`.
        x: tokens, or a dict of `tokens` and `padding_mask`.
        y: integer labels, or `None`.

    Raises:
        ValueError: a shape does not fit, a token or label is out of range or
            not finite, or padding is not on the right.
    """
    mask = None
    if isinstance(x, dict):
        x, mask = _unpack(x)
    tokens = _to_numpy(x)
    labels = None if y is None else _to_numpy(y)
    check_shapes(
        model,
        tokens.shape,
        None if labels is None else labels.shape,
        np.issubdtype(tokens.dtype, np.integer),
    )
    _check_token_values(model, tokens)
    if mask is not None:
        _check_mask(model, tokens, _to_numpy(mask).astype(bool))
    if labels is not None:
        _check_label_values(model, labels)


def _check_token_values(model: Any, tokens: np.ndarray) -> None:
    if model.vocabulary_size is not None:
        low, high = tokens.min(initial=0), tokens.max(initial=0)
        if low < 0 or high >= model.vocabulary_size:
            raise ValueError(
                f"Expected tokens from 0 to {model.vocabulary_size - 1} but "
                f"received {high if low >= 0 else low}."
            )
    elif not np.isfinite(tokens).all():
        first = np.argwhere(~np.isfinite(tokens))[0]
        raise ValueError(
            "Expected finite numbers but the tokens hold "
            f"{tokens[tuple(first)]} in example {first[0]}, token {first[1]}."
        )


def _check_mask(model: Any, tokens: np.ndarray, mask: np.ndarray) -> None:
    if mask.shape != tokens.shape[:2]:
        raise ValueError(
            "Expected a padding_mask of the tokens' shape "
            f"{tokens.shape[:2]} but received {mask.shape}."
        )
    restarts = (mask[:, 1:] & ~mask[:, :-1]).any(1)
    too_few = mask.sum(1) < max(1, model.num_output_tokens)
    if (restarts | too_few).any():
        raise ValueError(
            "Expected padding on the right and at least "
            f"{model.num_output_tokens} real tokens, which the padding_mask "
            f"of example {np.argmax(restarts | too_few)} does not have."
        )


def _check_label_values(model: Any, labels: np.ndarray) -> None:
    if np.issubdtype(labels.dtype, np.floating):
        wrong = labels != np.round(labels)
        if wrong.any():
            raise ValueError(
                "Expected integer labels but received "
                f"{labels[wrong].flat[0]}. keras-fpt classifies; it does not "
                "do regression."
            )
    elif not np.issubdtype(labels.dtype, np.integer) and labels.dtype != bool:
        raise ValueError(
            f"Expected integer labels but received {labels.dtype}. Number the "
            "classes from 0, for instance with np.unique(y, "
            "return_inverse=True)."
        )
    wrong = (labels < 0) | (labels >= model.num_classes)
    if wrong.any():
        raise ValueError(
            f"Expected labels from 0 to {model.num_classes - 1} but received "
            f"{labels[wrong].flat[0]}. The model was built with "
            f"num_classes={model.num_classes}."
        )


def checked_dataset(model: Any, dataset: Any) -> Any:
    """A `tf.data.Dataset` that fails on a bad batch, with a marked message.

    Args:
        model: an `FPTClassifier`.
        dataset: a batched `tf.data.Dataset` of `x`, `(x, y)` or
            `(x, y, sample_weight)`.

    Returns:
        The data set with checks of its values. Where one fails, TensorFlow
        raises an error that `data_errors.clear_error` recognizes.

    Raises:
        ValueError: a shape does not fit.
    """
    import tensorflow as tf

    spec = dataset.element_spec
    x = spec[0] if isinstance(spec, tuple) else spec
    has_labels = isinstance(spec, tuple) and len(spec) > 1
    if isinstance(x, dict):
        x, _ = _unpack(x)
    if x.shape.rank is not None:
        labels = spec[1].shape if has_labels else None
        check_shapes(
            model,
            x.shape.as_list(),
            labels.as_list() if labels and labels.rank is not None else None,
            x.dtype.is_integer,
        )

    @tf.autograph.experimental.do_not_convert
    def check_values(*batch: Any) -> Any:
        x, mask = batch[0], None
        if isinstance(x, dict):
            x, mask = _unpack(x)
        if model.vocabulary_size is not None:
            _assert_in_range(x, model.vocabulary_size, "tokens")
        elif x.dtype.is_floating:
            tf.debugging.assert_all_finite(
                x, f"{MARK}Expected finite numbers in the tokens."
            )
        if mask is not None:
            steps = tf.cast(mask[:, 1:], tf.int32) - tf.cast(
                mask[:, :-1], tf.int32
            )
            tf.debugging.assert_non_positive(
                steps, f"{MARK}Expected padding on the right."
            )
        if has_labels:
            _assert_in_range(batch[1], model.num_classes, "labels")
        return batch if len(batch) > 1 else batch[0]

    return dataset.map(check_values)


def _assert_in_range(values: Any, size: int, name: str) -> None:
    import tensorflow as tf

    message = f"{MARK}Expected whole numbers from 0 to {size - 1} as {name}."
    as_integers = tf.cast(values, tf.int64)
    if values.dtype.is_floating:
        tf.debugging.assert_equal(
            tf.cast(as_integers, values.dtype), values, message
        )
    tf.debugging.assert_non_negative(as_integers, message)
    tf.debugging.assert_less(as_integers, tf.constant(size, tf.int64), message)


def _to_numpy(x: Any) -> np.ndarray:
    # A tensor may be on an accelerator, or part of a gradient's graph.
    if keras.ops.is_tensor(x):
        return keras.ops.convert_to_numpy(x)
    return np.asarray(x)


def _unpack(x: dict[str, Any]) -> tuple[Any, Any]:
    unknown = x.keys() - {"tokens", "padding_mask"}
    if unknown or "tokens" not in x:
        raise ValueError(
            "Expected a dict with 'tokens' and 'padding_mask' but received "
            f"the keys {', '.join(sorted(x))}."
        )
    return x["tokens"], x.get("padding_mask")
