"""The same data is refused on each road into the model, for one reason."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fpt import FPTClassifier
from tests.conftest import gpt2_backbone


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    backbone = gpt2_backbone(num_layers=1, hidden_dim=8)
    return FPTClassifier(backbone, num_classes=2, input_dim=3)


class Batches(keras.utils.PyDataset):
    def __init__(self, *batch, **kwargs):
        super().__init__(**kwargs)
        self.batch = batch

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return self.batch


def bad(kind):
    """Data that is bad in one way, with a good mask otherwise."""
    x = np.ones((4, 5, 3), "float32")
    mask = np.ones((4, 5), "int32")
    y = np.array([0, 1, 0, 1])
    if kind == "left padding":
        mask[1, 0] = 0
    elif kind == "padding alone":
        mask[1] = 0
    elif kind == "mask's length":
        mask = mask[:, :4]
    elif kind == "nan":
        x[1, 2] = np.nan
    elif kind == "label":
        y[1] = 2
    return {"tokens": x, "padding_mask": mask}, y


REASONS = {
    "left padding": "Expected padding on the right .* of example 1 ",
    "padding alone": "at least 1 real tokens.* of example 1 ",
    "mask's length": r"tokens' shape \(4, 5\) but received \(4, 4\)",
    "nan": "nan in example 1, token 2",
    "label": "labels from 0 to 1 but received 2",
}


def forever(*batch):
    while True:
        yield batch


def loader(x, y):
    data = pytest.importorskip("torch.utils.data")
    rows = [({n: a[i] for n, a in x.items()}, y[i]) for i in range(len(y))]
    return data.DataLoader(rows, batch_size=len(y))


WITH_LABELS = {
    "arrays": lambda model, x, y: model.fit(x, y, verbose=0),
    "data set": lambda model, x, y: model.fit(
        tf.data.Dataset.from_tensors((x, y)), verbose=0
    ),
    "generator": lambda model, x, y: model.fit(
        forever(x, y), steps_per_epoch=1, verbose=0
    ),
    "PyDataset": lambda model, x, y: model.evaluate(Batches(x, y), verbose=0),
    "two workers": lambda model, x, y: model.fit(
        Batches(x, y, workers=2), verbose=0
    ),
    "data loader": lambda model, x, y: model.evaluate(loader(x, y), verbose=0),
    "validation": lambda model, x, y: model.fit(
        *bad("nothing"), validation_data=Batches(x, y), verbose=0
    ),
    "train_on_batch": lambda model, x, y: model.train_on_batch(x, y),
    "test_on_batch": lambda model, x, y: model.test_on_batch(x, y),
}
EVALUATING = ("PyDataset", "data loader", "test_on_batch")
WITHOUT_LABELS = {
    "predict": lambda model, x: model.predict(x, verbose=0),
    "predict a PyDataset": lambda model, x: model.predict(
        Batches(x), verbose=0
    ),
    "predict a data set": lambda model, x: model.predict(
        tf.data.Dataset.from_tensors(x), verbose=0
    ),
    "predict_on_batch": lambda model, x: model.predict_on_batch(x),
    "call": lambda model, x: model(x),
}


@pytest.mark.parametrize("kind", REASONS)
@pytest.mark.parametrize("road", WITH_LABELS)
def test_bad_data_is_refused_by_every_method(model, road, kind):
    if road == "data loader" and kind == "mask's length":
        pytest.skip("the same as of a PyDataset")
    before = model.get_weights()
    use = WITH_LABELS[road]
    with pytest.raises(ValueError, match=REASONS[kind]):
        use(model, *bad(kind))
    if road != "validation":  # It was trained before.
        for old, new in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("kind", [kind for kind in REASONS if kind != "label"])
@pytest.mark.parametrize("road", WITHOUT_LABELS)
def test_bad_tokens_are_refused_without_labels(model, road, kind):
    with pytest.raises(ValueError, match=REASONS[kind]):
        WITHOUT_LABELS[road](model, bad(kind)[0])


@pytest.mark.parametrize("road", WITH_LABELS)
def test_good_data_passes_each_road(model, road):
    before = model.get_weights()
    WITH_LABELS[road](model, *bad("nothing"))
    after = model.get_weights()
    assert all(np.isfinite(weight).all() for weight in after)
    has_trained = any(
        (old != new).any() for old, new in zip(before, after, strict=True)
    )
    assert has_trained == (road not in EVALUATING)


@pytest.mark.backend_free
def test_labels_are_not_checked_where_they_are_not_used(model):
    x, y = bad("label")
    assert model.predict(Batches(x, y), verbose=0).shape == (8, 2)


def test_ragged_tokens_are_sequences_of_their_lengths(model):
    x = np.random.default_rng(0).normal(size=(4, 6, 3)).astype("float32")
    lengths = [2, 6, 3, 4]
    ragged = tf.RaggedTensor.from_tensor(tf.constant(x), lengths)
    expected = np.concatenate(
        [model.predict(x[[i], :n], verbose=0) for i, n in enumerate(lengths)]
    )
    of_data_set = tf.data.Dataset.from_tensor_slices(ragged).batch(3)
    for logits in (
        model.predict(ragged, verbose=0),
        model.predict(of_data_set, verbose=0),
        keras.ops.convert_to_numpy(model(ragged)),
    ):
        np.testing.assert_allclose(logits, expected, atol=2e-5)


def odd(x):
    return {
        "list": ([x], "Expected one array as tokens but received a list of 1"),
        "objects": (x.astype(object), "one of Python objects"),
        "complex": (x.astype("complex64"), "real numbers .* complex64"),
        "strings": (x.astype(str), "Expected numbers as tokens"),
        "too large": (x.astype("float64") * 1e200, "up to 3.4e.38.* 1e.200"),
        "empty": (x[:0], "at least one example"),
        "no tokens": (x[:, :0], "received sequences of 0"),
        "masked array": (np.ma.masked_equal(x, 0), "dense array"),
        "sparse": (tf.sparse.from_dense(x), "dense array"),
        "mask of halves": (
            {"tokens": x, "padding_mask": np.full(x.shape[:2], 0.5)},
            "1 for real tokens and 0 for padding but received 0.5",
        ),
    }


@pytest.mark.backend_free
@pytest.mark.parametrize("case", odd(np.ones((2, 3, 3))))
def test_odd_arrays_are_refused_in_one_sentence(model, case):
    x, message = odd(np.ones((2, 3, 3)))[case]
    with pytest.raises(ValueError, match=message):
        model.predict(x, verbose=0)


@pytest.mark.backend_free
def test_no_labels_and_labels_of_other_examples_are_refused(model):
    x, y = bad("nothing")
    with pytest.raises(ValueError, match="Expected labels"):
        model.fit(x, verbose=0)
    with pytest.raises(ValueError, match="each of 4 examples but received 1"):
        model.train_on_batch(x, y[:1])


@pytest.mark.backend_free
def test_arguments_by_position_are_those_of_keras(model):
    x, y = bad("nothing")
    weights = np.array([1, 0, 0, 0])
    one = model.evaluate(x, y, 4, 0, weights, None, None, True)
    assert one["loss"] == pytest.approx(
        model.evaluate(x, y, verbose=0, sample_weight=weights)[0]
    )
    assert model.predict(x, 2, 0, 1).shape == (2, 2)


@pytest.mark.backend_free
def test_large_arrays_are_not_copied(model):
    from tracemalloc import get_traced_memory, start, stop

    from keras_fpt.models import data_gate

    x = np.zeros((2000, 100, 3))
    start()
    data_gate.checked(model, x)
    peak = get_traced_memory()[1]
    stop()
    assert peak < x.nbytes / 20
