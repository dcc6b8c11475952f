"""A small convolutional network on images, trained from scratch with Keras."""

from typing import Any, Self

import keras
import numpy as np

_BATCH_SIZE, _LEARNING_RATE = 64, 1e-3
_FILTERS = (32, 64, 128)
# How often the batch norms' memory of past steps fits into the training.
_MEMORIES = 10
# A side that is not pooled further.
_SMALLEST = 4


class SmallCNN:
    """Convolutions of 3 by 3 with batch norm and pooling, and one linear layer.

    The seed is fixed. On one backend and processor, the same examples give the
    same network.

    Args:
        epochs: int, passes over the training examples.
        num_classes: int, or 0 to predict numbers, which are standardized.
        is_multilabel: bool, whether an image has any number of the classes.
    """

    def __init__(
        self, epochs: int, num_classes: int, is_multilabel: bool = False
    ) -> None:
        self.epochs, self.num_classes = epochs, num_classes
        self.is_multilabel = is_multilabel

    def fit(self, images: np.ndarray, y: np.ndarray) -> Self:
        """Trains the network.

        Args:
            images: float array `(n, height, width, channels)`.
            y: array `(n, 1)` of classes, `(n, classes)` of 0 and 1, or
                `(n, targets)` of numbers.
        """
        keras.utils.set_random_seed(0)
        scale = y.std(axis=0)
        self.mean, self.scale = y.mean(axis=0), np.where(scale, scale, 1.0)
        steps = self.epochs * -(-len(images) // _BATCH_SIZE)
        self.model = self._build(images, y.shape[1], steps)
        loss: Any = "mse"
        if self.is_multilabel:
            loss = keras.losses.BinaryCrossentropy(from_logits=True)
        elif self.num_classes:
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        else:
            y = (y - self.mean) / self.scale
        rate = keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, steps)
        self.model.compile(keras.optimizers.Adam(rate), loss)
        self.model.fit(
            images,
            y,
            batch_size=_BATCH_SIZE,
            epochs=self.epochs,
            verbose=0,  # type: ignore[arg-type]
        )
        return self

    def predict(self, images: np.ndarray) -> np.ndarray:
        """What it predicts, in the shape of the labels."""
        outputs = self.scores(images)
        if self.is_multilabel:
            return (outputs > 0).astype(int)
        if self.num_classes:
            return outputs.argmax(axis=-1)[:, None]
        return outputs * self.scale + self.mean

    def scores(self, images: np.ndarray) -> np.ndarray:
        """The outputs of the network, of labels their logits."""
        batch_size = 8 * _BATCH_SIZE
        return self.model.predict(images, batch_size=batch_size, verbose=0)

    def _build(
        self, images: np.ndarray, num_targets: int, steps: int
    ) -> keras.Model:
        inputs = keras.Input(images.shape[1:])
        normalize = keras.layers.Normalization()
        normalize.adapt(images)
        x = normalize(inputs)
        # With Keras's 0.99, the initial mean and variance would still count
        # after some hundred steps, and predictions would be wrong.
        momentum = min(0.99, max(0.0, 1 - _MEMORIES / steps))
        for filters in _FILTERS:
            x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(
                x
            )
            x = keras.layers.BatchNormalization(momentum=momentum)(x)
            x = keras.layers.Activation("relu")(x)
            if min(x.shape[1:3]) >= 2 * _SMALLEST:
                x = keras.layers.MaxPooling2D()(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        outputs = keras.layers.Dense(self.num_classes or num_targets)(x)
        return keras.Model(inputs, outputs)
