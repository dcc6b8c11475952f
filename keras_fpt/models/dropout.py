"""The dropout rate of a backbone."""


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
    if "dropout" not in config:
        raise ValueError(
            f"{type(backbone).__name__} has no dropout rate. Use dropout=None."
        )
    if config["dropout"] == rate:
        return backbone
    copy = type(backbone).from_config({**config, "dropout": rate})
    copy.set_weights(backbone.get_weights())
    return copy
