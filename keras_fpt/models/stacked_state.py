"""What training changes in classifiers, to a stack and back.

Weights, the states of the optimizers and of the random generators, and within
an epoch the running means of the metrics.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from keras import ops

from keras_fpt import freezing
from keras_fpt.compat import optimizer_settings
from keras_fpt.files import checkpoints


def stack(model: Any) -> None:
    """Takes what training changes from the classifiers.

    The random generators continue as those of the first one, since the
    classifiers share the stack's.

    Args:
        model: a `StackedClassifiers`.
    """
    classifiers = model.members.classifiers
    named = [freezing.named_weights(one) for one in classifiers]
    for variable, source in _sources(model):
        variable.assign(
            np.stack([_array(weights[source]) for weights in named])
        )
    _copy(_generators(classifiers[0]), _generators(model))
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
    """Gives what training changes to the classifiers.

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
        _copy(_generators(model), _generators(classifier))
        classifier.optimizer.build(classifier.trainable_variables)
        classifier.optimizer.iterations.assign(_array(optimizer.iterations))
        state = _moments_by_name(classifier)
        for name, *pair in zip(trained, *moments, strict=True):
            for variable, value in zip(state[name], pair, strict=True):
                variable.assign(value[number])


def build_metrics(classifier: Any) -> None:
    """Makes the variables of a classifier's metrics, which Keras makes late.

    Args:
        classifier: an `FPTClassifier`.
    """
    answers = () if classifier.num_answers == 1 else (classifier.num_answers,)
    labels = np.zeros((1, *answers), "int32")
    logits = np.zeros((1, *answers, classifier.num_classes), "float32")
    classifier.compute_metrics(
        None, ops.convert_to_tensor(labels), ops.convert_to_tensor(logits)
    )
    classifier.reset_metrics()


def stack_metrics(model: Any) -> None:
    """Takes the running means of the loss and the accuracy.

    Args:
        model: a `StackedClassifiers`, whose classifiers' metrics are built.
    """
    classifiers = model.members.classifiers
    for name, metric in _metrics_by_name(model).items():
        scale = _count_scale(model, name)
        own = [_metrics_by_name(one)[name] for one in classifiers]
        totals = np.stack([_array(each.total) for each in own])
        metric.total.assign(totals / scale)
        metric.count.assign(_array(own[0].count) / scale)


def unstack_metrics(model: Any) -> None:
    """Gives the classifiers the running means of the loss and the accuracy.

    Args:
        model: a `StackedClassifiers`, whose classifiers' metrics are built.
    """
    for name, metric in _metrics_by_name(model).items():
        scale = _count_scale(model, name)
        totals, count = _array(metric.total), _array(metric.count)
        for total, one in zip(totals, model.members.classifiers, strict=True):
            own = _metrics_by_name(one)[name]
            own.total.assign(total * scale)
            own.count.assign(count * scale)


def _metrics_by_name(model: Any) -> dict[str, Any]:
    """The metrics of the loss and the accuracy."""
    found = {}
    for metric in model.metrics:
        for each in getattr(metric, "metrics", None) or [metric]:
            if each.name in ("loss", "accuracy"):
                found[each.name] = each
    return found


def _count_scale(model: Any, name: str) -> int:
    """How many times a classifier counts what its stack counts once.

    Its accuracy may receive each answer as an example.
    """
    first = model.members.classifiers[0]
    counts_answers = name == "accuracy" and first.metrics_take_examples
    return model.num_answers if counts_answers else 1


def _generators(model: Any) -> list[Any]:
    """The states of the random generators, in the same order in a stack."""
    layers = (model.input_dropout_layer, model.backbone)
    return [
        variable
        for layer in layers
        if layer is not None
        for variable in layer.variables
        if checkpoints.is_random_state(variable)
    ]


def _copy(sources: list[Any], targets: list[Any]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target.assign(_array(source))


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
