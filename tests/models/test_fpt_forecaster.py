"""A model that forecasts series, in their own units."""

import keras
import numpy as np
import pytest
from conftest import gpt2_backbone, jit_compile

from keras_fpt import AdapterSet, FPTClassifier, FPTForecaster
from keras_fpt.models import paper_optimizer

RNG = np.random.default_rng(0)
STEPS = np.arange(300)
# Two channels in units of their own.
SERIES = np.stack(
    [
        500 + 40 * np.sin(2 * np.pi * STEPS / 12),
        -0.02 * np.cos(2 * np.pi * STEPS / 12),
    ],
    axis=1,
).astype("float32")
CONTEXT, HORIZON = 24, 6
STARTS = np.arange(len(SERIES) - CONTEXT - HORIZON + 1)
X = np.stack([SERIES[i : i + CONTEXT] for i in STARTS])
Y = np.stack([SERIES[i + CONTEXT : i + CONTEXT + HORIZON] for i in STARTS])
NOISE = RNG.normal(5, 3, size=(6, 11, 2)).astype("float32")
LENGTHS = np.array([11, 4, 7, 1, 5, 9])
MASK = (np.arange(11) < LENGTHS[:, None]).astype("int32")
PADDED = {
    "tokens": np.where(MASK[..., None], NOISE, 99).astype("float32"),
    "padding_mask": MASK,
}


# Of `NOISE[0]` with drawn weights, computed with PyTorch.
GOLDEN = [
    [1.8229060, 5.3848763],
    [6.8542194, 8.9545689],
    [7.1994181, 5.0939910],
]


def make_model(backbone=None, **arguments):
    keras.utils.set_random_seed(1)
    backbone = gpt2_backbone(num_layers=1) if backbone is None else backbone
    arguments = {"horizon": HORIZON, "input_dim": 2, **arguments}
    return FPTForecaster(backbone, **arguments)


def forecasts(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False))


def build(model):
    if not model.built:  # The readout "flatten" needs a length.
        model.build((None, 11, 2))


def draw_weights(model):
    """Weights, so that no part of the model is without effect."""
    rng = np.random.default_rng(2)
    for variable in model.weights:
        if "float" in str(variable.dtype) and len(variable.shape) > 1:
            variable.assign(rng.normal(0, 0.2, variable.shape))


@pytest.fixture(scope="module")
def trained():
    """A model that was trained on `X` and `Y`, which no test changes."""
    model = make_model(
        policy="full", patch_size=4, channel_independent="each", dropout=0.0
    )
    model.compile(paper_optimizer(1e-2), jit_compile=jit_compile())
    model.fit(X, Y, epochs=8, batch_size=32, verbose=0)
    return model


def test_a_periodic_series_is_learned(trained):
    found = trained.predict(X, verbose=0)
    assert found.shape == Y.shape
    error = found - Y
    # Of the variance of each channel.
    assert ((error**2).mean((0, 1)) < 0.02 * SERIES.var(axis=0)).all()
    result = trained.evaluate(X, Y, verbose=0, return_dict=True)
    np.testing.assert_allclose(result["mse"], (error**2).mean(), rtol=1e-3)
    np.testing.assert_allclose(result["mae"], np.abs(error).mean(), rtol=1e-3)
    standardized = error / Y.std(axis=(0, 1))
    np.testing.assert_allclose(
        result["loss"], (standardized**2).mean(), rtol=1e-2
    )


@pytest.mark.parametrize("channels", [None, "each"])
def test_quantiles_are_in_order_and_minimize_the_pinball_loss(channels):
    levels = np.array([0.1, 0.5, 0.9])
    model = make_model(
        quantiles=list(levels), patch_size=4, channel_independent=channels
    )
    model.compile(paper_optimizer(1e-2), jit_compile=jit_compile())
    model.fit(X, Y, epochs=2, batch_size=64, verbose=0)
    found = model.predict(X, verbose=0)
    assert found.shape == (*Y.shape, 3)
    assert (np.diff(found, axis=-1) >= 0).all()
    result = model.evaluate(X, Y, verbose=0, return_dict=True)
    error = Y[..., None] - found
    standardized = error / Y.std(axis=(0, 1))[:, None]
    pinball = np.maximum(levels * standardized, (levels - 1) * standardized)
    np.testing.assert_allclose(result["loss"], pinball.mean(), rtol=1e-3)
    # Metrics are of the median, in the unit of the series.
    np.testing.assert_allclose(
        result["mae"], np.abs(error[..., 1]).mean(), rtol=1e-3
    )
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(model)
    )
    assert again.quantiles == (0.1, 0.5, 0.9)


def test_one_quantile_is_forecast_as_a_number_is():
    """The layout of the output layer is that of a plain forecast."""
    plain = make_model(readout="last", channel_independent="each")
    build(plain)
    draw_weights(plain)
    one = make_model(
        plain.backbone,
        readout="last",
        channel_independent="each",
        quantiles=(0.5,),
    )
    build(one)
    draw_weights(one)
    np.testing.assert_allclose(
        forecasts(one, NOISE)[..., 0], forecasts(plain, NOISE), rtol=1e-6
    )
    assert "quantiles" not in plain.head_config()
    assert one.head_config()["quantiles"] == (0.5,)


@pytest.mark.parametrize(
    ("channels", "readout"),
    [(None, "last"), ("each", "flatten"), ("concat", "last")],
)
def test_without_a_network_it_forecasts_the_mean(channels, readout):
    model = make_model(readout=readout, channel_independent=channels)
    model.adapt(Y)
    build(model)
    for weight in model.output_layer.weights:
        weight.assign(np.zeros(weight.shape))
    found = forecasts(model, NOISE)
    expected = NOISE.astype("float64").mean(axis=1, keepdims=True)
    np.testing.assert_allclose(
        found, np.repeat(expected, HORIZON, axis=1), rtol=2e-5, atol=1e-4
    )
    if readout == "flatten":
        return
    # Over real steps alone.
    found = forecasts(model, PADDED)
    total = (NOISE * MASK[..., None]).sum(axis=1, dtype="float64")
    expected = (total / LENGTHS[:, None])[:, None]
    np.testing.assert_allclose(
        found, np.repeat(expected, HORIZON, axis=1), rtol=2e-5, atol=1e-4
    )


@pytest.mark.parametrize("channels", [None, "each", "concat"])
def test_another_level_and_scale_of_a_series_are_those_of_its_forecast(
    channels,
):
    model = make_model(channel_independent=channels, patch_size=4)
    build(model)
    draw_weights(model)
    plain = forecasts(model, NOISE)
    assert plain.std() > 0.1
    shift, factor = np.array([20.0, -3.0]), np.array([2.0, 0.5])
    found = forecasts(model, (NOISE * factor + shift).astype("float32"))
    size = np.abs(found).max()
    np.testing.assert_allclose(
        found, plain * factor + shift, rtol=1e-5, atol=1e-5 * size
    )


def test_the_instance_norm_is_undone_as_numpy_does():
    model = make_model(readout="last")
    draw_weights(model)
    mean = NOISE.mean(axis=1, keepdims=True, dtype="float64")
    scale = np.sqrt(NOISE.var(axis=1, keepdims=True, dtype="float64") + 1e-5)
    plain = make_model(model.backbone, readout="last", instance_norm=False)
    for name in ("input_layer", "output_layer"):
        getattr(plain, name).set_weights(getattr(model, name).get_weights())
    within = forecasts(plain, ((NOISE - mean) / scale).astype("float32"))
    np.testing.assert_allclose(
        forecasts(model, NOISE), within * scale + mean, rtol=1e-5, atol=1e-5
    )


def test_each_channel_is_forecast_only_from_itself():
    model = make_model(channel_independent="each", patch_size=3)
    model.adapt(np.stack([Y[..., 1], Y[..., 1]], -1))  # The same for both.
    build(model)
    draw_weights(model)
    found = forecasts(model, NOISE)
    swapped = forecasts(model, NOISE[..., ::-1].copy())
    np.testing.assert_allclose(swapped, found[..., ::-1], rtol=1e-4, atol=1e-5)
    other = NOISE.copy()
    other[..., 1] = 0
    np.testing.assert_allclose(
        forecasts(model, other)[..., 0], found[..., 0], rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"patch_size": 4, "patch_stride": 2},
        {
            "channel_independent": "each",
            "instance_norm": False,
            "readout": "last+mean",
        },
    ],
)
def test_padding_changes_nothing(settings):
    model = make_model(**{"readout": "last", **settings})
    draw_weights(model)
    together = forecasts(model, PADDED)
    for i in (1, 3):
        alone = forecasts(model, NOISE[i : i + 1, : LENGTHS[i]])
        np.testing.assert_allclose(
            together[i : i + 1], alone, rtol=1e-5, atol=1e-5
        )
    # A mask of a layer upstream, which may leave out any step.
    masked = np.where(MASK[..., None], NOISE, -1.0).astype("float32")
    masked = np.roll(masked, 3, axis=1)
    inputs = keras.Input((11, 2))
    outputs = model(keras.layers.Masking(-1.0)(inputs))
    assert outputs.shape == (None, HORIZON, 2)
    upstream = keras.Model(inputs, outputs)
    order = [np.argsort((masked[i, :, 0] == -1), kind="stable") for i in (1,)]
    expected = forecasts(model, masked[1:2, order[0][: LENGTHS[1]]])
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(upstream(masked))[1:2],
        expected,
        rtol=1e-5,
        atol=1e-5,
    )


def test_saved_files_give_the_same_forecasts(trained, tmp_path):
    expected = trained.predict(X[:8], verbose=0)
    trained.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(X[:8], verbose=0), expected)
    assert loaded.get_config() == trained.get_config()
    trained.save_weights(tmp_path / "model.weights.h5")
    loaded.output_layer.kernel.assign_add([[1.0] * HORIZON])
    loaded.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(loaded.predict(X[:8], verbose=0), expected)
    trained.save_to_preset(tmp_path / "preset")
    loaded = FPTForecaster.from_preset(tmp_path / "preset")
    np.testing.assert_array_equal(loaded.predict(X[:8], verbose=0), expected)
    with pytest.raises(ValueError, match="forecaster with horizon=6"):
        FPTForecaster.from_preset(tmp_path / "preset", horizon=2)


@pytest.mark.parametrize("instance_norm", [True, False])
def test_an_adapter_holds_the_statistics_of_the_channels(
    instance_norm, tmp_path
):
    settings = {"instance_norm": instance_norm, "patch_size": 4}
    model = make_model(**settings)
    model.compile(jit_compile=jit_compile())
    model.fit(X[:64], Y[:64], verbose=0)
    path = tmp_path / "adapter.safetensors"
    model.save_adapter(path)
    expected = model.predict(X[:8], verbose=0)
    other = make_model(model.backbone, **settings)
    other.load_adapter(path)
    np.testing.assert_array_equal(other.predict(X[:8], verbose=0), expected)
    adapters = AdapterSet(model.backbone)
    adapters.load("series", path)
    found = adapters.activate("series").predict(X[:8], verbose=0)
    np.testing.assert_array_equal(found, expected)
    classifier = FPTClassifier(model.backbone, input_dim=2)
    with pytest.raises(ValueError, match="for a forecaster, but this model"):
        classifier.load_adapter(path)
    with pytest.raises(ValueError, match="horizon=6, but this one has"):
        make_model(model.backbone, horizon=3, **settings).load_adapter(path)


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_losses_and_weights_of_examples(loss):
    model = make_model(loss=loss, readout="last", input_dim=1)
    x, y = X[:64, :, :1], Y[:64, :, 0]  # Labels without the channel's axis.
    model.adapt(y)
    error = (model.predict(x, verbose=0)[..., 0] - y) / y.std()
    size = np.abs(error)
    each = {
        "mse": size**2,
        "mae": size,
        "huber": np.where(size < 1, size**2 / 2, size - 0.5),
    }[loss].mean(axis=1)
    weights = RNG.random(64).astype("float32")
    result = model.evaluate(
        x, y, sample_weight=weights, batch_size=64, verbose=0, return_dict=True
    )
    np.testing.assert_allclose(
        result["loss"], (each * weights).mean(), rtol=1e-3
    )
    np.testing.assert_allclose(
        result["mae"], np.abs(error).mean() * y.std(), rtol=1e-3
    )


def test_data_sets_of_batches():
    import tensorflow as tf

    model = make_model(policy="output_only")
    model.compile(jit_compile=jit_compile())
    dataset = tf.data.Dataset.from_tensor_slices((X, Y)).batch(64)
    model.fit(dataset, verbose=0)
    np.testing.assert_allclose(
        model.target_layer.mean, Y.mean(axis=(0, 1), dtype="f8"), rtol=1e-4
    )
    assert model.predict(dataset, verbose=0).shape == Y.shape


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (X, np.where(STARTS[:, None, None] == 5, np.nan, Y), "in example 5"),
        (np.where(X[5, 0] == X, np.nan, X), Y, "tokens hold nan"),
        (X, Y[:, :5], r"12 number\(s\) per example, of shape \(batch, 6, 2\)"),
        (X, Y[..., 0], "built with horizon=6"),
        (X, Y[:10], "for each of 271 examples but received 10"),
        (X[..., :1], Y, "width 2 but received 1"),
        (X[..., 0], Y, "add a last axis"),
        ({"tokens": X, "padding_mask": X[..., 0] * 0 + 1}, Y, "'flatten'"),
    ],
)
def test_wrong_data_is_refused(x, y, words):
    with pytest.raises(ValueError, match=words):
        make_model().fit(x, y, verbose=0)


@pytest.mark.backend_free
def test_a_context_of_another_length_is_refused(trained):
    with pytest.raises(ValueError, match="sequences of 24 tokens"):
        trained.predict(X[:, 1:])
    with pytest.raises(ValueError, match="sample_weight for each example"):
        trained.fit(X, Y, class_weight={0: 2.0})
    with pytest.raises(ValueError, match="Features can be cached only"):
        trained.feature_head()


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"horizon": 0}, "horizon to be an integer of at least 1"),
        ({"input_dim": None}, "input_dim to be an integer of at least 1"),
        ({"loss": "rmse"}, "Unknown loss 'rmse'"),
        ({"channel_independent": "mean"}, "distinguish the channels"),
    ],
)
def test_wrong_arguments_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        make_model(**arguments)


@pytest.mark.backend_free
def test_other_models_have_no_answer_for_each_channel():
    with pytest.raises(ValueError, match="as of an FPTForecaster"):
        FPTClassifier(gpt2_backbone(), channel_independent="each")


def test_the_same_forecasts_on_every_backend():
    model = make_model(patch_size=4, patch_stride=2, channel_independent="each")
    build(model)
    draw_weights(model)
    found = forecasts(model, NOISE)[0, :3]
    np.testing.assert_allclose(found, GOLDEN, rtol=1e-5)
