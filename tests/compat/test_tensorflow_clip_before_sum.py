"""Fails when Keras clips the gradient of the whole batch on TensorFlow."""

import sys

import keras
import pytest
from launching import environments, finish, start

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a fault on TensorFlow"
)


def weight_after_step(workaround):
    """A weight that two replicas have trained for one step."""
    arguments = [__file__, "workaround" if workaround else "plain"]
    [(code, output, errors)] = finish(
        start(arguments, environments("tensorflow", num_processes=1))
    )
    assert code == 0, errors[-3000:]
    return float(output.split()[-1])


def step():
    import tensorflow as tf

    from keras_fpt.compat import tensorflow_clip_before_sum

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        weight = keras.Variable(0.0)
        optimizer = keras.optimizers.SGD(1.0, global_clipnorm=1.0)
        optimizer.build([weight])
    if sys.argv[1] == "workaround":
        tensorflow_clip_before_sum.sum_gradients_before_clipping(optimizer)

    @tf.function
    def replica_step():
        index = tf.distribute.get_replica_context().replica_id_in_sync_group
        gradient = tf.gather([-3.0, 5.0], index)
        optimizer.apply([gradient], [weight])

    strategy.run(replica_step)
    print(float(weight.numpy()))


def test_the_fault_is_still_there():
    # The parts are clipped to -1 and 1, whose sum is 0.
    assert weight_after_step(workaround=False) == pytest.approx(0.0)


def test_the_workaround_clips_the_sum():
    # The sum of the parts is 2, which is clipped to 1.
    assert weight_after_step(workaround=True) == pytest.approx(-1.0)


if __name__ == "__main__":
    step()
