"""The statistics by which a model's targets are standardized.

`adapt` and `fit` are methods of the models whose targets are numbers, which are
their first argument.
"""

import itertools
import math
import types
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fpt.models import batch_sources, data_gate, label_checks

# How many batches of a source are read.
_BATCHES_READ = 100


def adapt(model: Any, y: Any) -> None:
    """Computes the mean and the standard deviation of the targets.

    The first `fit` does it with its labels, or with those of the first
    batches. Call it where `fit` receives a Python generator, or to continue
    on data in another unit.

    Args:
        y: array of labels, as `fit` takes them.

    Raises:
        ValueError: they are not finite numbers of that shape.
    """
    rule = model.label_rule()
    values = label_checks.check_targets(y, model.label_shape, rule.size)
    if not len(values):
        raise ValueError("Expected at least one target but received none.")
    count = model.target_layer.num_targets
    model.target_layer.adapt(values.reshape(-1, count))


def fit(
    model: Any, x: Any = None, y: Any = None, *args: Any, **kwargs: Any
) -> keras.callbacks.History:
    """`keras.Model.fit`, which first checks the data and adapts to it.

    Raises:
        ValueError: shapes, labels or weights that do not fit the model,
            numbers that are NaN or infinite, or weights of classes; or the
            statistics of the targets are not known, and the data can be read
            only once.
    """
    # Before statistics of data that is then refused.
    data_gate.check_class_weight(model, kwargs.get("class_weight"))
    if model.compiled and not model.target_layer.is_adapted:
        _adapt_to(model, x, y, kwargs.get("validation_split", 0.0))
    return data_gate.fit(model, x, y, *args, **kwargs)


def _adapt_to(model: Any, x: Any, y: Any, validation_split: float) -> None:
    """Takes the statistics of the data that a first `fit` receives."""
    if y is None and isinstance(x, types.GeneratorType):
        raise ValueError(
            "The mean and the standard deviation of the targets are not "
            "known, and a generator can be read only once. Call "
            "model.adapt(y) with the training targets first."
        )
    if y is None:
        y = _first_targets(x)
    elif validation_split:
        rows = math.floor(len(y) * (1 - validation_split))
        y = y[:rows]
    if y is not None:
        model.adapt(y)


def _first_targets(source: Any) -> np.ndarray | None:
    """The targets of the first batches, or `None` if there are none."""
    if batch_sources.is_dataset(source):
        source = source.take(_BATCHES_READ)
    found = []
    for batch in itertools.islice(_batches(source), _BATCHES_READ):
        _, y, _ = keras.utils.unpack_x_y_sample_weight(batch)
        if y is not None:
            found.append(ops.convert_to_numpy(y))
    return np.concatenate(found) if found else None


def _batches(source: Any) -> Any:
    if isinstance(source, keras.utils.PyDataset):
        return (source[index] for index in range(source.num_batches or 1))
    return iter(()) if hasattr(source, "shape") else iter(source)
