"""A model that predicts numbers, in the units of its targets."""

import keras
import numpy as np
import pytest
from conftest import gpt2_backbone
from sklearn.metrics import r2_score

from keras_fpt import AdapterSet, FPTClassifier, FPTRegressor
from keras_fpt.layers import TargetScale
from keras_fpt.models import paper_optimizer
from keras_fpt.models.quantiles import QuantileLoss

RNG = np.random.default_rng(0)
X = RNG.normal(size=(192, 4, 2)).astype("float32")
# A linear function of the input, in a unit of its own.
Y = 5000 + 300 * (X @ [1.0, -0.5]).mean(1)


def make_model(**arguments):
    keras.utils.set_random_seed(1)
    return FPTRegressor(gpt2_backbone(), readout="mean", **arguments)


@pytest.fixture(scope="module")
def trained():
    """A model that was trained on `Y`, which no test changes."""
    model = make_model(policy="full", dropout=0.0)
    model.compile(paper_optimizer(1e-2))
    model.fit(X, Y, epochs=40, batch_size=32, verbose=0)
    return model


def test_a_linear_function_is_learned(trained):
    result = trained.evaluate(X, Y, verbose=0, return_dict=True)
    answers = trained.predict(X, verbose=0)
    assert answers.shape == (len(X), 1)
    assert result["r2"] > 0.99
    # In the unit of the targets, against an independent computation.
    error = answers[:, 0] - Y
    np.testing.assert_allclose(result["r2"], r2_score(Y, answers), atol=1e-4)
    np.testing.assert_allclose(result["mae"], np.abs(error).mean(), rtol=1e-3)
    np.testing.assert_allclose(
        result["rmse"], np.sqrt((error**2).mean()), rtol=1e-3
    )
    # The loss is that of standardized numbers.
    expected = (error**2).mean() / Y.std() ** 2
    np.testing.assert_allclose(result["loss"], expected, rtol=1e-2)


def test_saved_files_give_the_same_numbers(trained, tmp_path):
    expected = trained.predict(X[:8], verbose=0)
    trained.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for weight, other in zip(trained.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(other),
            keras.ops.convert_to_numpy(weight),
        )
    # On some processors, TensorFlow rounds products by where arrays lie.
    rtol = 1e-6 if keras.backend.backend() == "tensorflow" else 0
    found = loaded.predict(X[:8], verbose=0)
    np.testing.assert_allclose(found, expected, rtol=rtol)
    results = [m.evaluate(X, Y, verbose=0) for m in (trained, loaded)]
    np.testing.assert_allclose(results[1], results[0], rtol=rtol)
    trained.save_to_preset(tmp_path / "preset")
    loaded = FPTRegressor.from_preset(tmp_path / "preset")
    found = loaded.predict(X[:8], verbose=0)
    np.testing.assert_allclose(found, expected, rtol=rtol)
    with pytest.raises(ValueError, match="regressor with num_targets=1"):
        FPTRegressor.from_preset(tmp_path / "preset", num_targets=2)


def test_an_adapter_holds_the_statistics_of_the_targets(tmp_path):
    model = make_model()
    model.fit(X, Y, verbose=0)
    model.save_adapter(tmp_path / "adapter.safetensors")
    other = FPTRegressor(model.backbone, readout="mean")
    other.load_adapter(tmp_path / "adapter.safetensors")
    expected = model.predict(X, verbose=0)
    np.testing.assert_array_equal(other.predict(X, verbose=0), expected)
    adapters = AdapterSet(model.backbone)
    adapters.load("numbers", tmp_path / "adapter.safetensors")
    found = adapters.activate("numbers").predict(X, verbose=0)
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match="for inference"):
        adapters.activate("numbers").adapt(Y)
    classifier = FPTClassifier(model.backbone, input_dim=2)
    with pytest.raises(ValueError, match="for a regressor, but this model is"):
        classifier.load_adapter(tmp_path / "adapter.safetensors")


def test_quantiles_are_in_order_and_minimize_the_pinball_loss():
    model = make_model(quantiles=[0.1, 0.5, 0.9], num_targets=2)
    y = np.stack([Y, -Y / 1e6], axis=1)
    model.fit(X, y, verbose=0)
    answers = model.predict(X, verbose=0)
    assert answers.shape == (len(X), 2, 3)
    assert (np.diff(answers, axis=-1) >= 0).all()
    result = model.evaluate(X, y, verbose=0, return_dict=True)
    error = (y[..., None] - answers) / y.std(axis=0)[:, None]
    levels = np.array([0.1, 0.5, 0.9])
    pinball = np.maximum(levels * error, (levels - 1) * error).mean()
    np.testing.assert_allclose(result["loss"], pinball, rtol=1e-3)
    np.testing.assert_allclose(
        result["mae"], np.abs(y - answers[..., 1]).mean(), rtol=1e-3
    )
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(model)
    )
    assert again.quantiles == (0.1, 0.5, 0.9)


@pytest.mark.backend_free
def test_the_minimum_of_the_pinball_loss_is_the_quantile():
    values = RNG.exponential(size=(500, 1)).astype("float32")
    constants = np.linspace(0, 4, 200, dtype="float32")
    loss = QuantileLoss([0.8])
    losses = [
        float(loss(values, np.full((500, 1, 1), c, "float32")))
        for c in constants
    ]
    best = constants[int(np.argmin(losses))]
    assert abs(best - np.quantile(values, 0.8)) < 0.05


@pytest.mark.backend_free
def test_statistics_are_those_of_the_training_part():
    model = make_model()
    model.fit(X, Y, validation_split=0.5, verbose=0)
    layer = model.target_layer
    np.testing.assert_allclose(layer.mean, Y[:96].mean(), rtol=1e-6)
    np.testing.assert_allclose(layer.scale, Y[:96].std(), rtol=1e-5)
    model.fit(X, 2 * Y, verbose=0)  # They are taken once.
    np.testing.assert_allclose(layer.mean, Y[:96].mean(), rtol=1e-6)
    model.adapt(2 * Y)
    np.testing.assert_allclose(layer.mean, 2 * Y.mean(), rtol=1e-6)
    assert not model.target_layer.trainable_variables


def test_statistics_of_batches():
    import tensorflow as tf

    model = make_model()
    dataset = tf.data.Dataset.from_tensor_slices((X, Y)).batch(64)
    model.fit(dataset, verbose=0)
    np.testing.assert_allclose(model.target_layer.mean, Y.mean(), rtol=1e-6)
    assert abs(model.predict(X, verbose=0).mean() - Y.mean()) < 3 * Y.std()


@pytest.mark.backend_free
def test_targets_that_are_always_the_same():
    layer = TargetScale(2)
    layer.adapt(np.array([[3.0, 1.0], [3.0, 2.0]]))
    np.testing.assert_allclose(layer.scale, [1.0, 0.5])
    standard = layer.standardize(np.array([[3.0, 2.0]]))
    np.testing.assert_allclose(standard, [[0.0, 1.0]])


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.where(np.arange(192) == 5, np.nan, Y), "nan in example 5"),
        (np.stack([Y, Y], 1), r"num_targets=1"),
        (Y[:10], "for each of 192 examples but received 10"),
        (Y.astype(str), "Expected numbers as labels"),
        (Y * 1e38, "in another unit"),
    ],
)
def test_wrong_targets_are_refused(y, words):
    with pytest.raises(ValueError, match=words):
        make_model().fit(X, y, verbose=0)


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"quantiles": (0.5, 0.1)}, "quantiles that increase"),
        ({"quantiles": (0.0, 0.1)}, "between 0 and 1"),
        ({"quantiles": ()}, "quantiles"),
        ({"loss": "mae"}, "Unknown loss 'mae'"),
        ({"loss": "huber", "quantiles": (0.5,)}, "leave out loss='huber'"),
        ({"num_targets": 0}, "num_targets to be an integer of at least 1"),
    ],
)
def test_wrong_arguments_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        make_model(**arguments)


@pytest.mark.backend_free
def test_what_a_regression_does_not_have_is_refused():
    model = make_model(policy="output_only")
    with pytest.raises(ValueError, match="sample_weight for each example"):
        model.fit(X, Y, class_weight={0: 2.0})
    with pytest.raises(ValueError, match=r"Call model.adapt\(y\)"):
        model.feature_head()
    with pytest.raises(ValueError, match=r"model.adapt\(y\)"):
        model.fit(batch for batch in [(X, Y)])
    with pytest.raises(ValueError, match="use FPTRegressor"):
        FPTClassifier(gpt2_backbone()).fit(X, Y / 7)


def test_huber_and_weights_of_examples():
    model = make_model(loss="huber")
    weights = np.where(np.arange(len(X)) < 4, 1.0, 0.0)
    model.fit(X, Y[:, None], sample_weight=weights, verbose=0)
    assert isinstance(model.loss, keras.losses.Huber)
    answers = model.predict(X, verbose=0)[:4, 0]
    result = model.evaluate(
        X[:4], Y[:4], verbose=0, return_dict=True, batch_size=4
    )
    error = np.abs(answers - Y[:4]) / Y.std()
    huber = np.where(error < 1, error**2 / 2, error - 0.5).mean()
    np.testing.assert_allclose(result["loss"], huber, rtol=1e-2)
