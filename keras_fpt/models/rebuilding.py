"""A backbone built again with another setting and the same weights."""

from keras_fpt.random_weights import relative_path

# What KerasHub's backbones call the rate of dropout.
DROPOUT_NAMES = (
    "dropout",
    "dropout_rate",
    "attention_dropout",
    "attention_dropout_rate",
    "feedforward_dropout_rate",
)


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
    config = backbone.get_config()
    names = [name for name in DROPOUT_NAMES if name in config]
    if not names and rate > 0:
        raise ValueError(
            f"{type(backbone).__name__} has no dropout. Use dropout=0."
        )
    if all(config[name] == rate for name in names):
        return backbone
    return _rebuild(backbone, {name: rate for name in names})


def with_depth(backbone, depth):
    """The first `depth` blocks of a backbone, and its final norm.

    Args:
        backbone: a KerasHub backbone. It is returned as it is where it has
            `depth` blocks already.
        depth: int, from 1 to the backbone's own number of blocks.

    Raises:
        ValueError: the backbone has fewer blocks.
    """
    if not 1 <= depth <= backbone.num_layers:
        raise ValueError(
            f"Expected a depth from 1 to {backbone.num_layers}, the blocks of "
            f"this {type(backbone).__name__}, but received {depth}."
        )
    if depth == backbone.num_layers:
        return backbone
    return _rebuild(backbone, {"num_layers": depth})


def _rebuild(backbone, changes):
    copy = type(backbone).from_config({**backbone.get_config(), **changes})
    values = {relative_path(v, backbone): v for v in backbone.weights}
    for variable in copy.weights:
        variable.assign(values[relative_path(variable, copy)])
    return copy
