"""Fails when Keras can pass other arrays to its steps on JAX."""

import contextlib
import inspect

import keras
import numpy as np
import pytest

from keras_fpt.compat import jax_step_arguments

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="these are steps of JAX"
)


class Doubled:
    """Twice the weights that do not train."""

    def __init__(self):
        self.given, self.returned = [], []

    def before(self, values):
        return [2 * value for value in values]

    @contextlib.contextmanager
    def within(self, argument):
        self.given.append([value.shape for value in argument])
        yield

    def after(self, values):
        self.returned.append([np.array(value) for value in values])


def test_the_fault_is_still_there():
    step = inspect.signature(keras.Model.train_step)
    assert [*step.parameters] == ["self", "state", "data"]


def test_a_step_is_traced_with_the_argument():
    model = keras.Sequential([keras.layers.Dense(1, trainable=False)])
    model.add(keras.layers.Dense(1))
    model.compile(loss="mse")
    argument = Doubled()
    with jax_step_arguments.passed(argument):
        model.fit(np.ones((4, 1)), np.ones((4, 1)), batch_size=2, verbose=0)
    assert argument.given == [[(1, 1), (1,)]]  # It is traced once.
    first, second = argument.returned
    np.testing.assert_array_equal(first[0], second[0])
