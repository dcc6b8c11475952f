"""A model with an answer for each token."""

import keras
import numpy as np
import pytest
from conftest import gpt2_backbone

from keras_fpt import FPTClassifier, FPTTokenClassifier
from keras_fpt.models import paper_optimizer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 8, 3)).astype("float32")
# Whether the first number, or the one before it, is above 0.5.
ABOVE = X[:, :, 0] > 0.5
Y = (ABOVE | np.pad(ABOVE, ((0, 0), (1, 0)))[:, :-1]).astype("int32")
LENGTHS = 3 + np.arange(96) % 6
MASK = (np.arange(8) < LENGTHS[:, None]).astype("int32")
PADDED = {"tokens": X, "padding_mask": MASK}


def make_model(**arguments):
    keras.utils.set_random_seed(1)
    return FPTTokenClassifier(gpt2_backbone(), num_classes=2, **arguments)


def test_each_token_is_learned():
    model = make_model(policy="full")
    model.compile(paper_optimizer(1e-2))
    model.fit(PADDED, Y, epochs=15, batch_size=32, verbose=0)
    result = model.evaluate(PADDED, Y, verbose=0, return_dict=True)
    logits = model.predict(PADDED, verbose=0)
    assert logits.shape == (96, 8, 2)
    is_right = (logits.argmax(-1) == Y)[MASK > 0]
    assert is_right.mean() > 0.9
    assert result["accuracy"] == pytest.approx(is_right.mean(), abs=1e-6)


def test_padding_and_ignored_tokens_do_not_count():
    model = make_model()
    expected = model.evaluate(PADDED, Y, verbose=0, batch_size=96)
    other = np.where(MASK > 0, Y, 1 - Y)
    found = model.evaluate(PADDED, other, verbose=0, batch_size=96)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    # The same tokens left out by their labels, of a model that sees all.
    logits = model.predict(X, verbose=0)
    ignoring = np.where(MASK > 0, Y, -1)
    loss, accuracy = model.evaluate(X, ignoring, verbose=0, batch_size=96)
    logs = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    losses = -np.take_along_axis(logs, Y[..., None], -1)[..., 0][MASK > 0]
    assert loss == pytest.approx(losses.mean(), rel=1e-4)
    right = (logits.argmax(-1) == Y)[MASK > 0].mean()
    assert accuracy == pytest.approx(right, abs=1e-6)


def test_saved_files_give_the_same_logits(tmp_path):
    model = make_model()
    model.fit(X, Y, verbose=0)
    expected = model.predict(X[:5], verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(X[:5], verbose=0), expected)
    model.save_adapter(tmp_path / "adapter.safetensors")
    other = FPTTokenClassifier(model.backbone)
    other.load_adapter(tmp_path / "adapter.safetensors")
    np.testing.assert_array_equal(other.predict(X[:5], verbose=0), expected)


def test_a_token_read_with_the_mean_knows_what_follows():
    """GPT-2 is causal: alone, a token's state depends on those before it."""
    x = {"tokens": X[:4], "padding_mask": MASK[:4]}
    # Of the second example only padding is changed.
    changed = X[:4].copy()
    changed[0, 2] += 1.0
    changed[1, 4:] += 1.0
    for readout in ("last", "token+mean"):
        model = make_model(readout=readout)
        before = model.predict(x, verbose=0)
        after = model.predict(x | {"tokens": changed}, verbose=0)
        moved = np.abs(after - before).max(-1) > 1e-4
        assert moved[0].tolist() == [readout == "token+mean"] * 2 + [True] * 6
        assert not moved[1, :4].any()
        assert not moved[2:].any()


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (X, Y[:, 0], "a label for each token"),
        (X, Y[:, :7], "each of 8 tokens but received 7"),
        (X, 3 * Y, "labels from 0 to 1"),
        (X, Y - 2, "labels from 0 to 1"),
        (X, Y[:5], "each of 96 examples but received 5"),
    ],
)
def test_wrong_labels_are_refused(x, y, words):
    with pytest.raises(ValueError, match=words):
        make_model().fit(x, y, verbose=0)


@pytest.mark.backend_free
def test_what_does_not_suit_an_answer_per_token():
    with pytest.raises(ValueError, match="Leave out readout='mean'"):
        make_model(readout="mean")
    with pytest.raises(ValueError, match="Use 'last\\+mean'"):
        FPTClassifier(gpt2_backbone(), readout="token+mean")
    with pytest.raises(
        ValueError, match="has an output for each of its tokens"
    ):
        make_model(patch_size=2)
    with pytest.raises(ValueError, match="FPTTokenClassifier"):
        make_model().fit(X, Y, class_weight={0: 2.0})
    with pytest.raises(ValueError, match="FPTTokenClassifier"):
        make_model(policy="output_only").feature_head()
    inputs = keras.Input((8, 3))
    with pytest.raises(ValueError, match="padding_mask"):
        make_model()(keras.layers.Masking()(X[:2]))
    assert make_model()(inputs).shape == (None, 8, 2)
