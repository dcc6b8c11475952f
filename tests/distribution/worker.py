"""The program of each process: trains, evaluates, and prints the results.

It runs on virtual devices, or as one of several processes, and prints a line
of JSON for each kind of distribution that it is given.
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


def main(virtual_devices, *kinds):
    if keras.backend.backend() == "tensorflow" and int(virtual_devices) > 1:
        make_virtual_devices(int(virtual_devices))
    for kind in kinds:
        with keras_fpt.distribution.scope(kind) as engine:
            result = train()
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


def bytes_on_first_device(backbone):
    """How much of the backbone's weights a device holds; only on JAX."""
    if keras.backend.backend() != "jax":
        return None
    return sum(
        v.value.addressable_shards[0].data.nbytes for v in backbone.weights
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
