"""The scikit-learn estimator, by scikit-learn's own checks."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_classifiers_train,
    check_estimator,
)

from keras_fpt.sklearn import FPTClassifier


@pytest.fixture
def estimator(preset):
    return FPTClassifier(
        preset, steps=2, learning_rate=1e-2, dropout=0.0, random_state=0
    )


@pytest.mark.backend_free
@pytest.mark.filterwarnings("ignore:Skipping check")
def test_it_is_an_estimator(estimator):
    failing = {"check_classifiers_train": "Two steps learn nothing."}
    results = check_estimator(estimator, expected_failed_checks=failing)
    assert len([r for r in results if r["status"] == "passed"]) > 45
    estimator.set_params(steps=150)
    check_classifiers_train("FPTClassifier", estimator)


@pytest.mark.backend_free
def test_in_a_pipeline_and_a_search(estimator):
    x, y = make_blobs(40, random_state=0)
    pipeline = make_pipeline(StandardScaler(), estimator)
    grid = {"fptclassifier__steps": [1, 40]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(x, y)
    assert search.best_params_ == {"fptclassifier__steps": 40}
    assert clone(search.best_estimator_).get_params()["steps"] is not None


def test_sequences_of_any_lengths(estimator, tmp_path):
    rng = np.random.default_rng(0)
    y = np.array(["up", "down"] * 10)
    shifts = np.where(y == "up", 3.0, -3.0)
    x = [rng.normal(s, 1, (rng.integers(3, 9), 2)) for s in shifts]
    estimator.set_params(steps=30, class_weight="balanced").fit(x, y)
    assert estimator.score(x, y) == 1
    assert list(estimator.classes_) == ["down", "up"]
    probabilities = estimator.predict_proba(x)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    # A longer neighbor changes no answer.
    np.testing.assert_allclose(
        estimator.predict_proba(x[:1])[0], probabilities[0], atol=1e-5
    )
    with pytest.raises(ValueError, match="2 channels but received 3"):
        estimator.predict([np.zeros((4, 3))])
    estimator.save(tmp_path / "saved")
    loaded = FPTClassifier.load(tmp_path / "saved")
    np.testing.assert_allclose(loaded.predict_proba(x), probabilities)
    assert loaded.get_params() == estimator.get_params()


def test_what_cannot_be_used(estimator):
    with pytest.raises(ValueError, match="Example 1 has shape"):
        estimator.fit([np.zeros((3, 2)), np.zeros((3, 1))], [0, 1])
    with pytest.raises(ValueError, match="Example 0 holds NaN"):
        estimator.fit([np.full((3, 2), np.nan)] * 2, [0, 1])
    with pytest.raises(ValueError, match="received 1 and 2"):
        estimator.fit([np.zeros((3, 2))] * 2, [0])
