"""Keras's `compile` keeps the loss and metrics of an earlier `compile`.

Where `loss` or `metrics` is `None`, the model continues to compute what an
earlier call named. A classifier is compiled with the paper's recipe when it is
made, so its metric would be computed with any loss. Seen with Keras 3.15.
"""

from typing import Any


def forget(model: Any) -> None:
    """Makes a model forget the loss and metrics that it was compiled with.

    Args:
        model: a `keras.Model`, about to be compiled again.
    """
    model.loss = None
    model._compile_loss = None
    model._compile_metrics = None
