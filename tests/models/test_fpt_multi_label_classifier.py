"""A model with several yes or no labels per example."""

import keras
import numpy as np
import pytest
from conftest import gpt2_backbone
from sklearn.metrics import roc_auc_score

from keras_fpt import FPTMultiLabelClassifier
from keras_fpt.models import paper_optimizer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 4, 3)).astype("float32")
Y = (X.mean(axis=1) > 0).astype("int32")


def make_model(**arguments):
    keras.utils.set_random_seed(1)
    return FPTMultiLabelClassifier(
        gpt2_backbone(), num_labels=3, readout="mean", **arguments
    )


def test_labels_are_learned_and_scored():
    model = make_model(policy="full")
    model.compile(paper_optimizer(1e-2))
    model.fit(X, Y, epochs=6, batch_size=32, verbose=0)
    result = model.evaluate(X, Y, verbose=0, return_dict=True)
    logits = model.predict(X, verbose=0)
    scores = model.scores(X, Y)
    is_right = (logits > 0) == (Y > 0)
    assert logits.shape == (160, 3) and result["accuracy"] > 0.85
    assert result["accuracy"] == pytest.approx(is_right.mean(), abs=1e-6)
    exact = is_right.all(axis=1).mean()
    assert result["exact_match"] == pytest.approx(exact, abs=1e-6)
    assert scores["exact_match"] == pytest.approx(exact)
    np.testing.assert_allclose(scores["accuracy"], is_right.mean(axis=0))
    auroc = [roc_auc_score(Y[:, i], logits[:, i]) for i in range(3)]
    np.testing.assert_allclose(scores["auroc"], auroc)
    assert result["auroc"] == pytest.approx(np.mean(auroc), abs=0.01)
    cross_entropy = np.logaddexp(0, np.where(Y > 0, -logits, logits)).mean()
    assert result["loss"] == pytest.approx(cross_entropy, rel=1e-4)


def test_saved_files_give_the_same_logits(tmp_path):
    model = make_model()
    model.fit(X, Y, verbose=0)
    expected = model.predict(X[:5], verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(X[:5], verbose=0), expected)
    again = loaded.evaluate(X, Y, verbose=0)
    np.testing.assert_allclose(again, model.evaluate(X, Y, verbose=0))
    model.save_to_preset(tmp_path / "preset")
    loaded = FPTMultiLabelClassifier.from_preset(tmp_path / "preset")
    np.testing.assert_array_equal(loaded.predict(X[:5], verbose=0), expected)


@pytest.mark.backend_free
def test_a_label_that_no_example_has():
    y = Y * [1, 1, 0]
    auroc = make_model().scores(X, y)["auroc"]
    assert np.isfinite(auroc[:2]).all() and np.isnan(auroc[2])


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("y", "words"),
    [
        (Y[:, :2], "num_labels=3"),
        (Y[:, 0], "num_labels=3"),
        (2 * Y, "from 0 to 1"),
        (np.where(Y > 0, np.nan, 0.0), "finite numbers"),
        (Y[:9], "each of 160 examples but received 9"),
    ],
)
def test_wrong_labels_are_refused(y, words):
    with pytest.raises(ValueError, match=words):
        make_model().fit(X, y, verbose=0)
