"""What a model's frozen part makes of examples, computed once."""

import os

import keras
import numpy as np

from keras_fpt import backbones


def check(model):
    """Checks that a model reads the same features in every epoch.

    Args:
        model: an `FPTClassifier`.

    Raises:
        ValueError: more than the output layer trains, or there is dropout.
    """
    output = {id(variable) for variable in model.output_layer.weights}
    if any(id(v) not in output for v in model.trainable_variables):
        raise ValueError(
            "Features stay the same only while nothing but the output layer "
            f"trains, but the policy is '{model.policy}'. Use "
            "policy='output_only'."
        )
    config = model.backbone.get_config()
    names = backbones.dropout_names(model.backbone)
    rate = max((config[name] for name in names), default=0)
    if rate:
        raise ValueError(
            "Features stay the same only without dropout, but the backbone's "
            f"rate is {rate}. Use dropout=0."
        )


def compute(model, batches, order, path=None):
    """Features of examples that come in batches.

    Args:
        model: an `FPTClassifier`.
        batches: iterable of what the model takes, as NumPy arrays.
        order: int array, which example each is that comes.
        path: `.npy` file to keep them in, so that they need no memory, or
            `None`.

    Returns:
        float32 array `(n, num_output_tokens, dim)`, from the first example
        to the last.

    Raises:
        OSError: the file cannot be written, or the disk is full.
    """
    shape = (len(order), model.readout_layer.num_tokens, model.cut.hidden_dim)
    if path is None:
        features = np.empty(shape, "float32")
    else:
        features = np.lib.format.open_memmap(path, "w+", "float32", shape)
        _take_space(path)
    frozen, done = _FrozenPart(model), 0
    for batch in batches:
        read = frozen.predict_on_batch(batch)
        features[order[done : done + len(read)]] = read
        done += len(read)
    return features


def _take_space(path):
    """Raises `OSError` where the disk is too full for a file's size.

    Written to through memory, a disk that is full would end the process.
    """
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.path.getsize(path))


def batched(x, batch_size):
    """Parts of arrays, or of a dict of arrays, of at most so many rows."""
    size = len(keras.tree.flatten(x)[0])
    for start in range(0, size, batch_size):
        rows = slice(start, start + batch_size)
        yield keras.tree.map_structure(lambda array, r=rows: array[r], x)


def head(model):
    """A model from features to what an `FPTClassifier` says of them.

    It shares the output layer and the optimizer, and is compiled alike.
    """
    check(model)
    width = model.cut.hidden_dim
    features = keras.Input((model.readout_layer.num_tokens, width))
    head = keras.Model(features, model.answers(features), name="head")
    settings = model.get_compile_config()
    head.compile(
        optimizer=model.optimizer,
        loss=model.loss,
        metrics=keras.saving.deserialize_keras_object(settings["metrics"]),
        jit_compile=model.jit_compile,
    )
    return head


class _FrozenPart(keras.Model):
    def __init__(self, classifier):
        super().__init__(name="frozen_part")
        self.classifier = classifier
        self.built = True

    def call(self, x):
        return self.classifier.read_states(x, training=False)
