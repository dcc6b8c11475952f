"""The scikit-learn estimators, by scikit-learn's own checks."""

import dataclasses

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_blobs, make_regression
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_classifiers_train,
    check_estimator,
    check_regressors_train,
)

from keras_fpt.models import ModelOptions
from keras_fpt.sklearn import MODEL_OPTIONS, FPTClassifier, FPTRegressor


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


@pytest.fixture
def regressor(preset):
    return FPTRegressor(
        preset, steps=2, learning_rate=1e-2, dropout=0.0, random_state=0
    )


@pytest.mark.slow
@pytest.mark.backend_free
@pytest.mark.filterwarnings("ignore:Skipping check")
def test_a_regressor_is_an_estimator(regressor):
    failing = {"check_regressors_train": "Two steps learn nothing."}
    results = check_estimator(regressor, expected_failed_checks=failing)
    assert len([r for r in results if r["status"] == "passed"]) > 45


@pytest.mark.slow
@pytest.mark.backend_free
def test_a_regressor_learns_what_scikit_learn_asks_for(regressor):
    regressor.set_params(steps=200, readout="flatten")
    check_regressors_train("FPTRegressor", regressor)


def test_numbers_in_their_own_units(regressor, tmp_path):
    x, y = make_regression(60, 4, n_targets=2, random_state=0)
    y = y * [1.0, 100.0] + [0.0, 1e5]
    regressor.set_params(steps=300, loss="huber").fit(x, y)
    assert regressor.score(x, y) > 0.8
    predicted = regressor.predict(x)
    assert predicted.shape == y.shape
    regressor.save(tmp_path / "saved")
    loaded = FPTRegressor.load(tmp_path / "saved")
    np.testing.assert_allclose(loaded.predict(x), predicted)
    with pytest.raises(ValueError, match="not of a FPTClassifier"):
        FPTClassifier.load(tmp_path / "saved")


@pytest.mark.backend_free
def test_a_regressor_in_a_pipeline_and_a_search(regressor):
    x, y = make_regression(40, 3, random_state=0)
    pipeline = make_pipeline(StandardScaler(), regressor)
    grid = {"fptregressor__steps": [1, 60]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(x, y)
    assert search.best_params_ == {"fptregressor__steps": 60}
    assert cross_val_score(clone(search.best_estimator_), x, y, cv=2).min() > 0


@pytest.mark.backend_free
def test_options_of_the_model_have_its_defaults():
    fields = {f.name: f.default for f in dataclasses.fields(ModelOptions)}
    own = {f.name: f.default for f in dataclasses.fields(FPTClassifier)}
    # A classifier of scikit-learn is not tied to a task that has defaults.
    assert {n for n in MODEL_OPTIONS if own[n] != fields[n]} == {
        "policy",
        "dropout",
    }


def test_options_of_series_reach_the_model(estimator):
    rng = np.random.default_rng(0)
    y = np.arange(24) % 2
    x = rng.normal(size=(24, 8, 2)) + 3 * y[:, None, None]
    estimator.set_params(
        readout="flatten",
        patch_size=4,
        patch_stride=2,
        instance_norm=True,
        channel_independent="concat",
        output_norm="layer",
        steps=60,
    ).fit(x, y)
    options = estimator.model_.options
    for name in MODEL_OPTIONS:
        assert getattr(options, name) == getattr(estimator, name), name
    assert estimator.n_steps_ == 60
    assert estimator.score(x, y) == 1


@pytest.mark.backend_free
def test_it_stops_early_and_keeps_the_best_weights(estimator):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 3)), rng.integers(0, 2, 60)
    # There is nothing to learn, so the loss on what is held out rises.
    estimator.set_params(steps=400, early_stopping=True, patience=2)
    estimator.fit(x, y)
    assert estimator.n_steps_ < 400 and estimator.n_steps_ % 20 == 0
    seed = np.random.RandomState(0).randint(2**31 - 1)
    _, held, _, labels = train_test_split(
        x, y, test_size=0.1, random_state=seed, stratify=y
    )
    losses = estimator.model_.history.history["val_loss"]
    loss = log_loss(labels, estimator.predict_proba(held))
    assert loss == pytest.approx(min(losses), abs=1e-5) != losses[-1]


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
