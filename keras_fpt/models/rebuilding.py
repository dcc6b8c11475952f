"""Rebuilds a backbone with the same weights, for another setting or model."""

import weakref
from typing import Any

from keras import ops

from keras_fpt import backbones
from keras_fpt.compat import llama_tied_embeddings
from keras_fpt.models import low_rank, quantization

_OWNERS: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def owned(backbone: Any, model: Any) -> Any:
    """A backbone that belongs to only one model.

    Args:
        backbone: a KerasHub backbone.
        model: the model that is made of it.

    Returns:
        The backbone, or a copy of it where another model, which still exists,
        was made of it.
    """
    owner = _OWNERS.get(backbone, lambda: None)()
    if owner is not None:
        backbone = _rebuild(backbone, {})
    _OWNERS[backbone] = weakref.ref(model)
    return backbone


def release(backbone: Any) -> None:
    """Lets the next model that is made of a backbone share it.

    Args:
        backbone: a KerasHub backbone.
    """
    _OWNERS.pop(backbone, None)


def with_dropout(backbone: Any, rate: float) -> Any:
    """A backbone with another dropout rate and the same weights.

    A Keras dropout layer decides when it is created whether it needs a random
    generator, so its rate cannot be changed later.

    Args:
        backbone: a KerasHub backbone. It is returned unchanged if its rate is
            `rate` already.
        rate: float from 0 to below 1.

    Raises:
        ValueError: the rate is out of range, or the backbone has no dropout.
    """
    if not 0 <= rate < 1:
        raise ValueError(
            f"Expected a dropout rate from 0 to below 1 but received {rate}."
        )
    names = backbones.dropout_names(backbone)
    if not names and rate > 0:
        raise ValueError(
            f"{type(backbone).__name__} has no dropout. Use dropout=0."
        )
    config = backbone.get_config()
    if all(config[name] == rate for name in names):
        return backbone
    return _rebuild(backbone, {name: rate for name in names})


def with_depth(backbone: Any, depth: int) -> Any:
    """The first `depth` blocks of a backbone, and its final norm.

    Args:
        backbone: a KerasHub backbone. It is returned unchanged if it has
            `depth` blocks already. A T5 loses blocks of both stacks; a
            backbone whose stacks have separate depths, only of its encoder.
        depth: int, from 0 to the backbone's own number of blocks. With 0,
            positions and the final norm are left.

    Raises:
        ValueError: the backbone has fewer blocks, or is an ALBERT whose
            blocks share weights in several groups.
    """
    total = backbones.num_blocks(backbone)
    if not 0 <= depth <= total:
        raise ValueError(
            f"Expected a depth from 0 to {total}, the blocks of "
            f"this {type(backbone).__name__}, but received {depth}."
        )
    if depth == total:
        return backbone
    if getattr(backbone, "num_groups", 1) > 1:
        raise ValueError(
            f"This {type(backbone).__name__} has {backbone.num_groups} groups "
            "of blocks that share weights. Only one group can be cut short: "
            f"use depth={total}."
        )
    return _rebuild(backbone, {backbones.depth_name(backbone): depth})


def copy_of(backbone: Any) -> Any:
    """A copy of a backbone, with the same settings and weights."""
    return _rebuild(backbone, {})


def _rebuild(backbone: Any, changes: dict[str, Any]) -> Any:
    llama_tied_embeddings.complete_config(backbone)
    copy = type(backbone).from_config({**backbone.get_config(), **changes})
    low_rank.enable(copy, low_rank.enabled(backbone))
    quantization.compute_alike(backbone, copy)
    values = backbones.weights_by_name(backbone)
    for name, variable in backbones.weights_by_name(copy).items():
        # A copy, since on JAX both would share one array, which a step of
        # either deletes.
        variable.assign(ops.copy(values[name].value))
    return copy
