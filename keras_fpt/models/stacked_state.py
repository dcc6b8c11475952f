"""Weights and optimizer states of classifiers, to a stack and back."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from keras import ops

from keras_fpt import freezing
from keras_fpt.compat import optimizer_settings


def stack(model: Any) -> None:
    """Takes the weights, and the state of Adam, from the classifiers.

    Args:
        model: a `StackedClassifiers`.
    """
    classifiers = model.members.classifiers
    named = [freezing.named_weights(one) for one in classifiers]
    for variable, source in _sources(model):
        variable.assign(
            np.stack([_array(weights[source]) for weights in named])
        )
    if not classifiers[0].optimizer.built:
        return
    optimizer = model.optimizer
    optimizer.iterations.assign(_array(classifiers[0].optimizer.iterations))
    states = [_moments_by_name(one) for one in classifiers]
    trained = _trained_sources(model)
    for index, matrix in enumerate((optimizer.momentum, optimizer.velocity)):
        matrix.assign(
            optimizer.joined(
                [
                    np.stack([_array(state[name][index]) for state in states])
                    for name in trained
                ]
            )
        )


def unstack(model: Any) -> None:
    """Gives the weights, and the state of Adam, to the classifiers.

    Args:
        model: a `StackedClassifiers`.
    """
    optimizer = model.optimizer
    values = {source: _array(variable) for variable, source in _sources(model)}
    moments = [
        [
            _array(part)
            for part in optimizer.separate(matrix, model.trainable_variables)
        ]
        for matrix in (optimizer.momentum, optimizer.velocity)
    ]
    trained = _trained_sources(model)
    for number, classifier in enumerate(model.members.classifiers):
        named = freezing.named_weights(classifier)
        for source, value in values.items():
            named[source].assign(value[number])
        classifier.optimizer.build(classifier.trainable_variables)
        classifier.optimizer.iterations.assign(_array(optimizer.iterations))
        state = _moments_by_name(classifier)
        for name, *pair in zip(trained, *moments, strict=True):
            for variable, value in zip(state[name], pair, strict=True):
                variable.assign(value[number])


def _sources(model: Any) -> Iterator[tuple[Any, str]]:
    """Each stacked weight, and the name that it has in a classifier."""
    for layer in model.stacked_layers:
        for variable in layer.weights:
            yield variable, layer.sources[variable.name]


def _trained_sources(model: Any) -> list[str]:
    """Those names, in the order of the weights that train."""
    names = {id(variable): source for variable, source in _sources(model)}
    return [names[id(variable)] for variable in model.trainable_variables]


def _moments_by_name(classifier: Any) -> dict[str, tuple]:
    optimizer = classifier.optimizer
    pairs = zip(
        optimizer_settings.trained_by(optimizer),
        optimizer_settings.moments(optimizer),
        strict=True,
    )
    by_id = {id(variable): pair for variable, pair in pairs}
    return {
        name: by_id[id(variable)]
        for name, variable in freezing.named_weights(classifier).items()
        if id(variable) in by_id
    }


def _array(value: Any) -> np.ndarray:
    return np.array(ops.convert_to_numpy(value))
