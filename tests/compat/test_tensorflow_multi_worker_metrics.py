"""Fails when Keras can train with several workers on TensorFlow."""

import json
import os
import sys

import keras
import numpy as np
import pytest
from launching import environments, finish, start

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a fault on TensorFlow"
)


def outcomes(*steps):
    """The output of two workers that train after some preparation."""
    results = finish(
        start([__file__, *steps], environments("tensorflow", num_processes=2))
    )
    for code, _, errors in results:
        assert code == 0, errors[-3000:]
    return [output.splitlines()[-1] for _, output, _ in results]


def main():
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    try:
        with strategy.scope():
            history = train(strategy)
    except Exception as error:
        print(f"{error}\nfailed: {type(error).__name__}", flush=True)
        os._exit(0)  # A normal exit waits for the other worker.
    print(f"trained: {sorted(history)}")


def train(strategy):
    import tensorflow as tf

    from keras_fpt.compat import tensorflow_multi_worker_metrics

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(loss="mse", metrics=["mae"], jit_compile=False)
    index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
    x = np.full((8, 2), 1.0 + index, "float32")
    data = tf.data.Dataset.from_tensor_slices((x, x[:, :1])).batch(4)
    batch = next(iter(data))
    if "prepare" in sys.argv:
        tensorflow_multi_worker_metrics.prepare(model, batch)
    elif "build" in sys.argv:
        model._symbolic_build(data_batch=batch)
        model._maybe_symbolic_build = lambda *args, **kwargs: None
    return model.fit(
        strategy.distribute_datasets_from_function(lambda context: data),
        steps_per_epoch=2,
        verbose=0,
    ).history


@pytest.mark.parametrize("steps", [(), ("build",)], ids=["build", "reduce"])
def test_the_faults_are_still_there(steps):
    assert all(each.startswith("failed") for each in outcomes(*steps))


# In the everyday suite, tests/distribution/test_same_numbers.py shows it.
@pytest.mark.slow
def test_the_workaround_trains():
    assert outcomes("prepare") == ["trained: ['loss', 'mae']"] * 2


if __name__ == "__main__":
    main()
