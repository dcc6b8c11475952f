"""Predictions for more examples than fit into memory."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_fpt.models import FPTClassifier
from keras_fpt.tasks import Stored, sequence_store

# Predictions of so many batches are in memory.
BATCHES_AT_ONCE = 256


def predict(
    model: FPTClassifier,
    stored: Stored,
    x: Any,
    order: np.ndarray,
    batch_size: int,
    callbacks: Sequence[Any] = (),
) -> sequence_store.SequenceStore:
    """Predicts examples, and writes the predictions to a temporary file.

    The batches are those of one pass over all examples, so the predictions
    are the same.

    Args:
        model: a model.
        stored: the `Stored` that makes batches.
        x: the examples, on disk, all of one length.
        order: int array, the order of the examples.
        batch_size: int.
        callbacks: sequence of Keras callbacks.

    Returns:
        A `SequenceStore` `(examples, ...)`, read as a NumPy array is.
    """
    at_once = BATCHES_AT_ONCE * batch_size
    with sequence_store.SequenceWriter() as writer:
        for first in range(0, len(order), at_once):
            part = order[first : first + at_once]
            found = model.predict(
                stored.in_order(x, part, batch_size),
                verbose=0,
                callbacks=[*callbacks],
            )
            writer.extend(keras.ops.convert_to_numpy(found))
        return writer.finish()
