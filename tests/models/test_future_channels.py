"""Forecasts that know some channels over the horizon as well."""

import keras
import numpy as np
import pytest
from conftest import gpt2_backbone, jit_compile

from keras_fpt import FPTForecaster
from keras_fpt.models import paper_optimizer

CONTEXT, HORIZON = 8, 3
RNG = np.random.default_rng(0)
# Two channels in units of their own, and one that is known in advance.
NOISE = RNG.normal(5, 3, (6, CONTEXT + HORIZON, 3)).astype("float32")


def make_model(**arguments):
    keras.utils.set_random_seed(1)
    settings = {"horizon": HORIZON, "input_dim": 3, "future_dim": 1}
    return FPTForecaster(
        arguments.pop("backbone", None) or gpt2_backbone(num_layers=1),
        **{**settings, **arguments},
    )


def drawn(**arguments):
    """A model of drawn weights, no part of which is without effect."""
    model = make_model(**arguments)
    if not model.built:
        model.build((None, CONTEXT + HORIZON, 3))
    rng = np.random.default_rng(2)
    for variable in model.weights:
        if "float" in str(variable.dtype) and len(variable.shape) > 1:
            variable.assign(rng.normal(0, 0.2, variable.shape))
    return model


def forecasts(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False))


def changed(step, channel):
    other = NOISE.copy()
    other[:, step, channel] += 4
    return other


@pytest.mark.parametrize("instance_norm", [True, False])
def test_only_what_is_known_is_read(instance_norm):
    model = drawn(instance_norm=instance_norm, patch_size=4)
    plain = forecasts(model, NOISE)
    assert plain.shape == (6, HORIZON, 2)
    # The horizon of what is forecast is not.
    for step in range(CONTEXT, CONTEXT + HORIZON):
        for channel in (0, 1):
            found = forecasts(model, changed(step, channel))
            np.testing.assert_array_equal(found, plain)
    # That of the known channel, and the context of all, are.
    for step, channel in ((-1, 2), (CONTEXT, 2), (0, 2), (0, 1), (7, 0)):
        found = forecasts(model, changed(step, channel))
        assert np.abs(found - plain).max() > 1e-3


def test_the_instance_norm_is_of_the_context_as_numpy_does():
    model = drawn(readout="last")
    context = NOISE[:, :CONTEXT, :2].astype("float64")
    mean = context.mean(axis=1, keepdims=True)
    scale = np.sqrt(context.var(axis=1, keepdims=True) + 1e-5)
    plain = make_model(
        backbone=model.backbone, readout="last", instance_norm=False
    )
    for name in ("input_layer", "output_layer"):
        getattr(plain, name).set_weights(getattr(model, name).get_weights())
    x = NOISE.copy()
    x[:, :CONTEXT, :2] = (context - mean) / scale
    np.testing.assert_allclose(
        forecasts(model, NOISE),
        forecasts(plain, x) * scale + mean,
        rtol=1e-5,
        atol=1e-5,
    )


def test_an_effect_of_what_is_known_is_learned_and_saved(tmp_path):
    """Each step is 10 plus 4 on holidays, which no context tells."""
    holidays = RNG.integers(0, 2, (96, CONTEXT + HORIZON))
    series = 10 + 4 * holidays + 0.1 * RNG.normal(size=holidays.shape)
    x = np.stack([series, holidays], -1).astype("float32")
    y = x[:, CONTEXT:, :1]
    model = make_model(input_dim=2, policy="full", dropout=0.0)
    model.compile(paper_optimizer(1e-2), jit_compile=jit_compile())
    model.fit(x[:64], y[:64], epochs=12, batch_size=16, verbose=0)
    found = model.predict(x[64:], verbose=0)
    assert ((found - y[64:]) ** 2).mean() < 0.2 * y.var()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(x[64:], verbose=0), found)
    assert loaded.get_config()["future_dim"] == 1
    model.save_to_preset(tmp_path / "preset")
    loaded = FPTForecaster.from_preset(tmp_path / "preset")
    np.testing.assert_array_equal(loaded.predict(x[64:], verbose=0), found)


def test_quantiles_and_adapters(tmp_path):
    model = make_model(quantiles=(0.1, 0.9), patch_size=4)
    model.compile(jit_compile=jit_compile())
    y = NOISE[:, -HORIZON:, :2]
    model.fit(NOISE, y, verbose=0)
    found = model.predict(NOISE, verbose=0)
    assert found.shape == (6, HORIZON, 2, 2)
    assert (found[..., 0] < found[..., 1]).all()
    path = tmp_path / "adapter.safetensors"
    model.save_adapter(path)
    settings = {"quantiles": (0.1, 0.9), "patch_size": 4}
    other = make_model(backbone=model.backbone, **settings)
    other.load_adapter(path)
    np.testing.assert_array_equal(other.predict(NOISE, verbose=0), found)
    with pytest.raises(ValueError, match="future_dim"):
        make_model(
            backbone=model.backbone, future_dim=2, **settings
        ).load_adapter(path)


@pytest.mark.backend_free
def test_files_of_other_forecasts_are_as_before():
    model = make_model(future_dim=0)
    assert "future_dim" not in model.get_config()
    assert model.label_shape == (HORIZON, 3)


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"future_dim": -1}, "future_dim to be an integer of at least 0"),
        ({"future_dim": 3}, "input_dim above the future_dim of 3"),
        ({"channel_independent": "each"}, "Leave out channel_independent"),
    ],
)
def test_wrong_arguments_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        make_model(**arguments)


@pytest.mark.backend_free
def test_contexts_of_several_lengths_or_none_are_refused():
    model = make_model(readout="last")
    mask = np.ones(NOISE.shape[:2], int)
    with pytest.raises(ValueError, match="without a padding_mask"):
        model({"tokens": NOISE, "padding_mask": mask})
    with pytest.raises(ValueError, match="and the 3 steps of the horizon"):
        model(NOISE[:, :HORIZON])
