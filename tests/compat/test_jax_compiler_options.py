"""Fails when Keras can pass compiler options to JAX."""

import inspect

import keras
import numpy as np
import pytest

from keras_fpt.compat.jax_compiler_options import jitted_for_memory


@pytest.mark.backend_free
@pytest.mark.parametrize("method", ["compile", "fit"])
def test_the_fault_is_still_there(method):
    parameters = inspect.signature(getattr(keras.Model, method)).parameters
    assert not [name for name in parameters if "options" in name]


@pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="these are options of JAX"
)
def test_a_training_step_is_compiled_with_the_option(monkeypatch):
    from keras.src.backend.jax import trainer

    options, jit = [], trainer.jit

    def recording(function, *args, compiler_options=None, **kwargs):
        options.append(compiler_options)
        return jit(function, *args, **kwargs)

    monkeypatch.setattr(trainer, "jit", recording)
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(loss="mse")
    with jitted_for_memory():
        model.fit(np.ones((1, 1)), np.ones((1, 1)), verbose=0)
    assert any("xla_cpu_scheduler_type" in (each or {}) for each in options)
    assert trainer.jit is recording
