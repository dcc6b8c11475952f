"""Checks of data before it enters a model, with errors that say what to do.

Without them, JAX ignores a label that is out of range, a wrong width fails in
the middle of a graph, and with a NaN a model learns nothing.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np

from keras_fpt.models import arrays, label_checks
from keras_fpt.models.label_rules import LabelRule

# The largest finite number of each type that tokens are cast to.
_LARGEST = {"float16": 65504.0, "bfloat16": 3.3895e38, "float32": 3.40282347e38}


@dataclasses.dataclass(frozen=True)
class Expected:
    """The data that a model expects.

    It contains no model, so that it can be sent to processes that load data.

    Args:
        num_classes: int, the model's `label_size`: classes, or targets.
        input_dim, vocabulary_size, num_output_tokens, num_answers,
            max_sequence_length, sequence_length, readout, masks_padding: as
            the model has them.
        largest: float, the largest number that its tokens can be.
        labels: `LabelRule`, or `None` where labels are not used.
        needs_labels: bool, whether there must be labels.
    """

    num_classes: int
    input_dim: int | None
    vocabulary_size: int | None
    num_output_tokens: int
    num_answers: int
    max_sequence_length: int | None
    sequence_length: int | None
    readout: str
    masks_padding: bool
    largest: float
    labels: LabelRule | None
    needs_labels: bool

    @classmethod
    def of(cls, model: Any, with_labels: bool = False) -> Self:
        """The data that an `FPTClassifier` expects, as built and compiled.

        Args:
            model: an `FPTClassifier`.
            with_labels: bool, whether its labels are used.
        """
        own = (
            *("input_dim", "vocabulary_size", "readout"),
            *("num_output_tokens", "num_answers", "max_sequence_length"),
            *("sequence_length", "masks_padding"),
        )
        dtypes = keras.config.floatx(), model.input_layer.compute_dtype
        rule = model.label_rule() if with_labels else None
        return cls(
            num_classes=model.label_size,
            **{name: getattr(model, name) for name in own},
            largest=min(_LARGEST.get(t, np.inf) for t in dtypes),
            labels=rule,
            needs_labels=rule is not None and rule.kind != "unknown",
        )


def check_shapes(
    model: Any,
    tokens_shape: Sequence[int | None],
    is_integer: bool | None = None,
) -> None:
    """Checks shapes against what a model was built for.

    Args:
        model: an `FPTClassifier`, or what it is `Expected` to receive.
        tokens_shape: shape of the tokens, with `None` for unknown sizes.
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
            f"vocabulary_size={model.vocabulary_size}, but received floats. "
            "Convert them with astype('int32')."
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


def known_sizes(shape: Sequence[Any]) -> tuple[int | None, ...]:
    """A shape with `None` for sizes that are symbols in a traced graph."""
    return tuple(n if isinstance(n, int) else None for n in shape)


def _check_length(model: Any, length: int | None) -> None:
    if length is None:
        return
    limit = model.max_sequence_length
    if limit is not None and length > limit:
        is_series = model.vocabulary_size is None
        more = ", e.g. with a larger patch_size" if is_series else ""
        raise ValueError(
            f"Expected sequences of at most {limit} tokens, the positions "
            f"that the backbone has, but received {length}. Cut the "
            f"sequences, or put more into each token{more}."
        )
    fixed = model.sequence_length
    if fixed is not None and length != fixed:
        raise ValueError(
            f"Expected sequences of {fixed} tokens, all of which the readout "
            f"'flatten' reads, but received {length}. Use "
            "readout='last+mean' for sequences of several lengths."
        )
    if length < model.num_output_tokens:
        raise ValueError(
            f"The model reads the last {model.num_output_tokens} tokens but "
            f"received sequences of {length}."
        )


def check_batch(
    expected: Expected,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    can_be_empty: bool = False,
) -> None:
    """Checks arrays: their types, shapes and values.

    Args:
        expected: what the model expects.
        x: tokens, or a dict of `tokens` and `padding_mask`.
        y: labels, or `None`.
        sample_weight: weights of examples or of answers, or `None`.
        can_be_empty: bool, whether there may be no examples.

    Raises:
        ValueError: a shape does not fit, a token, label or weight is out of
            range or not finite, padding is not on the right, or there are no
            examples.
    """
    tokens, mask = unpack(x)
    tokens = arrays.as_numbers(tokens, "tokens")
    is_integer = np.issubdtype(tokens.dtype, np.integer)
    check_shapes(expected, tokens.shape, is_integer)
    if not len(tokens) and not can_be_empty:
        raise ValueError(
            "Expected at least one example but received an empty batch, of "
            f"shape {tokens.shape}."
        )
    _check_token_values(expected, tokens)
    if mask is not None:
        _check_mask(expected, tokens, arrays.as_numbers(mask, "padding_mask"))
    rule = expected.labels
    if rule is None:
        return
    if y is not None:
        label_checks.check_labels(expected, rule, y, len(tokens))
        if rule.kind == "per_token":
            label_checks.check_num_tokens(y, tokens.shape[1])
    elif expected.needs_labels:
        raise ValueError("Expected labels, y, but received none.")
    if sample_weight is not None:
        label_checks.check_weights(expected, rule, sample_weight, len(tokens))


def unpack(x: Any) -> tuple[Any, Any]:
    """The tokens and the `padding_mask`, or `None`, of a model's input.

    Raises:
        ValueError: a dict has other keys.
    """
    if not isinstance(x, dict):
        return x, None
    unknown = x.keys() - {"tokens", "padding_mask"}
    if unknown or "tokens" not in x:
        raise ValueError(
            "Expected a dict with 'tokens' and 'padding_mask' but received "
            f"the keys {', '.join(sorted(map(str, x)))}."
        )
    return x["tokens"], x.get("padding_mask")


def _check_token_values(expected: Expected, tokens: np.ndarray) -> None:
    # NaN, too, is neither above the one nor below the other, and the two
    # need no memory.
    low, high = tokens.min(initial=0), tokens.max(initial=0)
    if expected.vocabulary_size is not None:
        if low < 0 or high >= expected.vocabulary_size:
            raise ValueError(
                f"Expected tokens from 0 to {expected.vocabulary_size - 1} but "
                f"received {high if low >= 0 else low}."
            )
    elif not (-expected.largest <= low and high <= expected.largest):
        wrong = ~(np.abs(tokens) <= expected.largest)
        first = np.argwhere(wrong)[0]
        value = tokens[tuple(first)]
        place = f"in example {first[0]}, token {first[1]}"
        if np.isfinite(value):
            raise ValueError(
                f"Expected numbers up to {expected.largest:.3g}, the largest "
                f"that the model computes with, but the tokens hold {value} "
                f"{place}. Scale them, for instance to a standard deviation "
                "of 1."
            )
        raise ValueError(
            f"Expected finite numbers but the tokens hold {value} {place}."
        )


def _check_mask(
    expected: Expected, tokens: np.ndarray, mask: np.ndarray
) -> None:
    check_padding(expected)
    if mask.shape != tokens.shape[:2]:
        raise ValueError(
            "Expected a padding_mask of the tokens' shape "
            f"{tokens.shape[:2]} but received {mask.shape}."
        )
    real = mask.astype(bool)
    if mask.dtype != bool and (mask != real).any():
        value = mask[mask != real].flat[0]
        raise ValueError(
            "Expected a padding_mask of 1 for real tokens and 0 for padding "
            f"but received {value}."
        )
    restarts = (real[:, 1:] & ~real[:, :-1]).any(1)
    too_few = real.sum(1) < max(1, expected.num_output_tokens)
    if (restarts | too_few).any():
        raise ValueError(
            "Expected padding on the right and at least "
            f"{expected.num_output_tokens} real tokens, which the padding_mask "
            f"of example {np.argmax(restarts | too_few)} does not have."
        )


def check_padding(expected: Any) -> None:
    """Checks that the model can have padding.

    Args:
        expected: an `FPTClassifier`, or what it is `Expected` to receive.

    Raises:
        ValueError: it cannot.
    """
    if expected.readout == "flatten":
        raise ValueError(
            "The readout 'flatten' reads all tokens of sequences of one "
            "length. Give them without a padding_mask, or use "
            "readout='last+mean'."
        )
    if not expected.masks_padding:
        raise ValueError(
            "The model's backbone cannot mask padding. Give sequences of one "
            "length, without a padding_mask."
        )
