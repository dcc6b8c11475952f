"""The paper's training recipe: its optimizer, dropout rate and loss."""

from typing import Any

import keras

from keras_fpt import backbones

PAPER_DROPOUT = 0.1


def paper_optimizer(
    learning_rate: Any = 1e-3, gradient_accumulation_steps: int | None = None
) -> keras.optimizers.Optimizer:
    """The paper's optimizer.

    Args:
        learning_rate: float, or a `keras.optimizers.schedules` schedule.
        gradient_accumulation_steps: int, accumulate gradients over this many
            batches before each update. `None` updates after every batch.

    Returns:
        Adam with epsilon 1e-8 that clips the global norm of the gradients at
        1.0.

    Example:

    ```python
    model.compile(optimizer=keras_fpt.models.paper_optimizer(3e-4))
    ```

    Source: Lu, Grover, Abbeel and Mordatch, 2021, arXiv 2103.05247.
    """
    return keras.optimizers.Adam(
        learning_rate=learning_rate,
        epsilon=1e-8,
        global_clipnorm=1.0,
        gradient_accumulation_steps=gradient_accumulation_steps,
    )


def paper_loss(num_classes: int = 2) -> keras.losses.Loss:
    """Cross-entropy of integer labels on logits.

    Args:
        num_classes: int. With 1, labels are 0 or 1, on one logit.
    """
    if num_classes == 1:
        return keras.losses.BinaryCrossentropy(from_logits=True)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def paper_metrics(num_classes: int = 2) -> list[keras.metrics.Metric]:
    """Accuracy.

    Args:
        num_classes: int. With 1, a logit above 0 answers with 1.
    """
    if num_classes == 1:
        return [keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)]
    return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]


def default_jit_compile() -> bool | str:
    """Whether Keras compiles the model's steps with XLA."""
    # On TensorFlow, XLA was slower here, and much slower to start.
    return False if keras.backend.backend() == "tensorflow" else "auto"


def default_dropout(backbone: Any, rate: float | None = None) -> float:
    """The dropout rate of a model for which none was given.

    Args:
        backbone: a KerasHub backbone.
        rate: float, the rate of the task's recipe. `None` is the paper's, 0.1.

    Returns:
        The rate, or 0 where the backbone has no dropout at all.
    """
    if not backbones.dropout_names(backbone):
        return 0.0
    return PAPER_DROPOUT if rate is None else rate
