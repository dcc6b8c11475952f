"""Settings and state of an optimizer that have no public names.

The fault: `exclude_from_weight_decay` of a Keras 3.15 optimizer is not part of
    `get_config`, so an optimizer made from the config of another decays the
    weights
that the other spares. No upstream issue was found.
"""

from typing import Any

import keras

_NAMES = ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern")


def without_state(optimizer: Any) -> Any:
    """A new optimizer with the settings of another, and none of its state.

    Args:
        optimizer: a Keras optimizer.
    """
    new = type(optimizer).from_config(optimizer.get_config())
    _carry(optimizer, new)
    return new


def _carry(optimizer: Any, new: Any) -> None:
    for name in _NAMES:
        if hasattr(optimizer, name):
            setattr(new, name, getattr(optimizer, name))
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        _carry(optimizer.inner_optimizer, new.inner_optimizer)


def trained_by(optimizer: Any) -> list:
    """The variables that a built optimizer has its state for."""
    return optimizer._trainable_variables


def moments(optimizer: Any) -> list[tuple]:
    """The two moments that a built `Adam` keeps of each variable it trains.

    Returns:
        List of tuples of variables, in the order of `trained_by`.
    """
    pairs = zip(optimizer._momentums, optimizer._velocities, strict=True)
    return list(pairs)
