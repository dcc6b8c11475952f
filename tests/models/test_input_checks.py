import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fpt import FPTClassifier


@pytest.fixture
def model(backbone):
    return FPTClassifier(backbone, num_classes=2, input_dim=3)


def bad_arrays():
    x = np.zeros((4, 10, 3), "float32")
    y = np.zeros(4, "int32")
    nan = x.copy()
    nan[2, 5, 1] = np.nan
    mask = np.ones((4, 10), "int32")
    left = mask.copy()
    left[1, 0] = 0
    return {
        "width": (x[..., :2], y, "width 3 but received 2"),
        "rank": (x[0, 0], y, "shape \\(batch, tokens, dim\\)"),
        "no width": (x[..., 0], y, "add a last axis"),
        "too long": (np.zeros((4, 129, 3)), y, "at most 128 tokens"),
        "nan": (nan, y, "nan in example 2, token 5"),
        "label": (x, y + 2, "from 0 to 1 but received 2"),
        "negative label": (x, y - 1, "from 0 to 1 but received -1"),
        "regression": (x, y + 0.5, "does not do regression"),
        "strings": (x, np.array(list("abab")), "Number the classes"),
        "labels' shape": (x, np.zeros((4, 3), int), "shape \\(batch,\\)"),
        "left padding": (
            {"tokens": x, "padding_mask": left},
            y,
            "padding_mask of example 1",
        ),
        "empty row": (
            {"tokens": x, "padding_mask": mask * 0},
            y,
            "at least 1 real tokens",
        ),
        "mask's shape": (
            {"tokens": x, "padding_mask": mask[:, :3]},
            y,
            "padding_mask of the tokens' shape",
        ),
        "keys": ({"token_ids": x}, y, "'tokens' and 'padding_mask'"),
    }


@pytest.mark.backend_free
@pytest.mark.parametrize("case", bad_arrays())
def test_bad_arrays_are_refused_with_the_reason(model, case):
    x, y, message = bad_arrays()[case]
    with pytest.raises(ValueError, match=message):
        model.fit(x, y, verbose=0)


@pytest.mark.backend_free
def test_bad_validation_arrays_are_refused(model, data):
    with pytest.raises(ValueError, match="from 0 to 1 but received 5"):
        model.fit(*data, validation_data=(data[0], data[1] + 5), verbose=0)


@pytest.mark.backend_free
def test_token_out_of_the_vocabulary(backbone):
    model = FPTClassifier(backbone, vocabulary_size=9)
    with pytest.raises(ValueError, match="from 0 to 8 but received 9"):
        model.predict(np.full((2, 4), 9), verbose=0)
    with pytest.raises(ValueError, match="received floats"):
        model.predict(np.zeros((2, 4), "float32"), verbose=0)
    with pytest.raises(ValueError, match="Expected integer tokens"):
        model.predict(np.zeros((2, 4, 3), "float32"), verbose=0)


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x[..., :2], y), "width 3 but received 2"),
        (lambda x, y: (tf.tile(x, [1, 13, 1]), y), "at most 128 tokens"),
        (lambda x, y: (x, tf.stack([y, y], 1)), "labels of shape"),
    ],
)
def test_data_sets_of_a_wrong_shape_are_refused(model, data, change, message):
    dataset = tf.data.Dataset.from_tensor_slices(data).batch(4).map(change)
    with pytest.raises(ValueError, match=message):
        model.fit(dataset, verbose=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x, y + 2), "from 0 to 1 but received 2"),
        pytest.param(
            lambda x, y: (x, tf.cast(y, "float32") / 2),
            "integer labels but received 0.5",
            marks=pytest.mark.backend_free,
        ),
        pytest.param(
            lambda x, y: (x / 0.0, y),
            "Expected finite numbers",
            marks=pytest.mark.backend_free,
        ),
    ],
)
def test_bad_batches_are_refused_and_the_model_still_works(
    model, data, change, message
):
    good = tf.data.Dataset.from_tensor_slices(data).batch(4)
    model.fit(good, verbose=0)
    with pytest.raises(ValueError, match=message):
        model.fit(good.map(change), verbose=0)
    if change(*data)[1].dtype == data[1].dtype:
        later = good.concatenate(good.map(change))
        for use in (model.fit, model.evaluate):
            with pytest.raises(ValueError, match=message):
                use(later, verbose=0)
    with pytest.raises(ValueError, match=message):
        model.evaluate(good.map(change), verbose=0)
    model.evaluate(good, verbose=0)
    model.fit(good, verbose=0)


@pytest.mark.backend_free
def test_left_padding_in_a_data_set_is_refused(model, data):
    mask = np.ones((12, 10), "int32")
    mask[5, 0] = 0
    x = {"tokens": data[0], "padding_mask": mask}
    dataset = tf.data.Dataset.from_tensor_slices((x, data[1])).batch(4)
    with pytest.raises(ValueError, match="padding on the right"):
        model.fit(dataset, verbose=0)


@pytest.mark.backend_free
def test_negative_token_in_a_data_set_is_refused(backbone):
    model = FPTClassifier(backbone, vocabulary_size=9)
    dataset = tf.data.Dataset.from_tensors(np.full((2, 4), -1))
    with pytest.raises(ValueError, match="from 0 to 8 but received -1"):
        model.predict(dataset, verbose=0)


@pytest.mark.backend_free
def test_integer_pixels_are_vectors_too(model):
    x = np.full((4, 10, 3), 255, "uint8")
    dataset = tf.data.Dataset.from_tensor_slices((x, np.zeros(4, int)))
    history = model.fit(dataset.batch(2), verbose=0)
    assert np.isfinite(history.history["loss"][0])


def test_tensors_of_the_backend_are_checked(model, data):
    x = keras.ops.convert_to_tensor(data[0])
    assert model.predict(x, verbose=0).shape == (12, 2)
    with pytest.raises(ValueError, match="hold nan"):
        model.predict(x * float("nan"), verbose=0)


@pytest.mark.backend_free
def test_error_names_both_lengths_where_tokens_are_too_few(backbone):
    model = FPTClassifier(backbone, num_output_tokens=5, input_dim=3)
    with pytest.raises(ValueError, match="last 5 tokens but.*of 4"):
        model.predict(np.zeros((2, 4, 3), "float32"), verbose=0)
