"""A backbone built again with another setting and the same weights."""

from keras_fpt import backbones


def with_dropout(backbone, rate):
    """A backbone with another dropout rate and the same weights.

    A Keras dropout layer decides when it is made whether it needs a random
    generator, so a rate cannot be changed afterwards.

    Args:
        backbone: a KerasHub backbone. It is returned as it is where its rate
            is `rate` already.
        rate: float from 0 to below 1.

    Raises:
        ValueError: the rate is out of range, or the backbone has none.
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


def with_depth(backbone, depth):
    """The first `depth` blocks of a backbone, and its final norm.

    Args:
        backbone: a KerasHub backbone. It is returned as it is where it has
            `depth` blocks already. Of a T5, both stacks are cut short; of a
            backbone whose stacks have depths of their own, the encoder.
        depth: int, from 1 to the backbone's own number of blocks.

    Raises:
        ValueError: the backbone has fewer blocks, or is an ALBERT whose
            blocks share weights in more than one group.
    """
    total = backbones.num_blocks(backbone)
    if not 1 <= depth <= total:
        raise ValueError(
            f"Expected a depth from 1 to {total}, the blocks of "
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


def _rebuild(backbone, changes):
    backbones.complete_config(backbone)
    copy = type(backbone).from_config({**backbone.get_config(), **changes})
    values = backbones.weights_by_name(backbone)
    for name, variable in backbones.weights_by_name(copy).items():
        variable.assign(values[name])
    return copy
