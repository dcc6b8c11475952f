"""Optimizers clip each replica's gradient before they sum them up.

The fault: on TensorFlow, with several replicas, the optimizers of Keras 3.15
clip the gradient of each replica's part of the batch and sum up the clipped
gradients. Clipping the gradient of the whole batch, as one device does, gives
another result.

Upstream: https://github.com/tensorflow/tensorflow/issues/33929 describes the
two orders for the optimizers of Keras 2, where clipping was switched off. No
issue about Keras 3 was found.
"""

from typing import Any


def sum_gradients_before_clipping(optimizer: Any) -> None:
    """Lets an optimizer clip the whole batch's gradient.

    Args:
        optimizer: a `keras.optimizers.Optimizer`. It is changed in place,
            once.
    """
    if getattr(optimizer, "_sums_before_clipping", False):
        return
    apply, sum_up = optimizer.apply, optimizer._all_reduce_sum_gradients

    def apply_summed(gradients, variables):
        pairs = sum_up(zip(gradients, variables, strict=True))
        return apply([gradient for gradient, _ in pairs], variables)

    optimizer.apply = apply_summed
    optimizer._all_reduce_sum_gradients = lambda pairs: pairs
    optimizer._sums_before_clipping = True
