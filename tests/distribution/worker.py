"""The program of each process: trains, evaluates, and prints the results.

It runs on virtual devices, or as one of several processes, and prints a line
of JSON for each kind of distribution that it is given. Of the heads other than
the classifier it trains those whose names it is given, with commas between.
"""

import json
import sys

import keras
import numpy as np
from conftest import gpt2_backbone

import keras_fpt

STEPS = 20
BATCH_SIZE = 16
# Not divisible by the batch size, nor by a number of devices.
HELD_OUT = 77


def main(virtual_devices, heads, *kinds):
    if keras.backend.backend() == "tensorflow" and int(virtual_devices) > 1:
        make_virtual_devices(int(virtual_devices))
    for kind in kinds:
        with keras_fpt.distribution.scope(kind) as engine:
            result = train()
            result["heads"] = {
                name: train_head(name) for name in heads.split(",")
            }
            result["num_replicas"] = engine.num_replicas
            result["num_processes"] = engine.num_processes
            result["total"] = keras_fpt.distribution.total(
                engine.process_index + 1
            )
        print(json.dumps(result), flush=True)


def make_virtual_devices(count):
    import tensorflow as tf

    (processor,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        processor, [tf.config.LogicalDeviceConfiguration()] * count
    )


def train():
    """Trains a tiny model, with the same numbers on any devices."""
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    model = keras_fpt.FPTClassifier(
        gpt2_backbone(), input_dim=3, num_output_tokens=2
    )
    # Low, so that a gradient that is clipped in parts is another gradient.
    model.optimizer.global_clipnorm = 0.1
    generator = np.random.default_rng(0)
    x = generator.normal(size=(BATCH_SIZE * STEPS // 2, 10, 3))
    y = (x[:, :2].mean(-1) > 0).astype("int32")
    data = tf.data.Dataset.from_tensor_slices((x.astype("float32"), y))
    held_out = data.take(HELD_OUT).batch(BATCH_SIZE)
    losses = []
    history = model.fit(
        data.batch(BATCH_SIZE, drop_remainder=True).repeat(),
        epochs=2,
        steps_per_epoch=STEPS // 2,
        validation_data=held_out,
        verbose=0,
        callbacks=[
            keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda _, logs: losses.append(
                    float(logs["loss"])
                )
            )
        ],
    ).history
    evaluation = model.evaluate(held_out, verbose=0, return_dict=True)
    return {
        "losses": losses,
        "history": {k: [float(v) for v in vs] for k, vs in history.items()},
        "evaluation": {k: float(v) for k, v in evaluation.items()},
        "weights": [
            float(np.abs(keras.ops.convert_to_numpy(v)).sum())
            for v in model.trainable_variables
        ],
        "bytes": bytes_on_first_device(model.backbone),
    }


# Heads, their arguments, and labels of series and of whether a step is real.
HEADS = {
    "multi_label": (
        keras_fpt.FPTMultiLabelClassifier,
        {"num_labels": 3},
        lambda x, is_real: x.mean(1) > 0,
    ),
    "token": (
        keras_fpt.FPTTokenClassifier,
        {"num_classes": 2},
        # Of the rest, some are padding, and some steps have no label.
        lambda x, is_real: np.where(x[..., 1] > 1, -1, x[..., 0] > 0),
    ),
    "regressor": (
        keras_fpt.FPTRegressor,
        {"num_targets": 2, "quantiles": (0.1, 0.5, 0.9)},
        lambda x, is_real: 50 + 10 * x.mean(1)[:, :2],
    ),
    "forecaster": (
        keras_fpt.FPTForecaster,
        {"horizon": 3, "future_dim": 1, "sequence_length": 10},
        lambda x, is_real: x[:, -3:, :2],
    ),
}


def train_head(name):
    """Trains another head on batches of different lengths, for four steps."""
    import tensorflow as tf

    make, arguments, label = HEADS[name]
    keras.utils.set_random_seed(0)
    model = make(gpt2_backbone(num_layers=1), input_dim=3, **arguments)
    generator = np.random.default_rng(0)
    x = generator.normal(size=(64, 10, 3)).astype("float32")
    is_real = np.arange(10) < generator.integers(4, 9, (64, 1))
    y = label(x, is_real).astype("float32")
    if hasattr(model, "adapt"):
        model.adapt(y)

    def batches(count):
        for start in range(0, count, BATCH_SIZE):
            rows = slice(start, min(start + BATCH_SIZE, count))
            # Shorter in the later batches.
            length = 10 - start // BATCH_SIZE
            if name == "forecaster":
                yield x[rows], y[rows]
                continue
            tokens = {"tokens": x[rows, :length]}
            tokens["padding_mask"] = is_real[rows, :length].astype("int32")
            yield tokens, y[rows, :length] if name == "token" else y[rows]

    def dataset(count):
        shape = tf.TensorSpec((None, None, 3), "float32")
        mask = tf.TensorSpec((None, None), "int32")
        inputs = {"tokens": shape, "padding_mask": mask}
        some = next(batches(count))[1]
        labels = tf.TensorSpec((None,) * some.ndim, "float32")
        return tf.data.Dataset.from_generator(
            lambda: batches(count),
            output_signature=(
                shape if name == "forecaster" else inputs,
                labels,
            ),
        )

    history = model.fit(dataset(64), epochs=1, verbose=0).history
    found = model.evaluate(dataset(21), verbose=0, return_dict=True)
    return {
        "history": {key: float(value[0]) for key, value in history.items()},
        "evaluation": {key: float(value) for key, value in found.items()},
        "weights": [
            float(np.abs(keras.ops.convert_to_numpy(v)).sum())
            for v in model.trainable_variables
        ],
    }


def bytes_on_first_device(backbone):
    """How much of the backbone's weights a device holds; only on JAX."""
    if keras.backend.backend() != "jax":
        return None
    return sum(
        v.value.addressable_shards[0].data.nbytes for v in backbone.weights
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
