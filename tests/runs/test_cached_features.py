"""Runs whose frozen features are computed once."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from conftest import gpt2_backbone

from keras_fpt import FPTClassifier, tasks
from keras_fpt.runs import RunConfig, evaluate, feature_data, train

pytestmark = pytest.mark.usefixtures("small_evaluations")


@pytest.fixture
def config(preset):
    return RunConfig("digits", preset).with_settings(
        policy="output_only",
        steps=30,
        batch_size=50,
        dropout=0.0,
        cache_features=True,
    )


def sequences():
    """A task of strings of different lengths."""
    generator = np.random.default_rng(0)
    rows = ["".join(generator.choice(list("ab"), n)) for n in range(5, 65)]
    labels = [row[0] for row in rows]
    return tasks.from_strings(rows, labels, verbose=False)


@pytest.mark.backend_free
@pytest.mark.parametrize("make", [lambda: tasks.get("digits"), sequences])
def test_batches_are_those_of_the_task(make, tmp_path):
    task = make()
    model = FPTClassifier(
        gpt2_backbone(max_sequence_length=64),
        policy="output_only",
        **{**task.model_arguments(), "dropout": 0.0},
    )
    feature_data.check_cacheable(task, model)
    features = feature_data.train_features(task, model, 8, tmp_path / "unused")
    ours = feature_data.train_batches(task, features, 8, seed=3, first_batch=2)
    theirs = task.datasets(8, seed=3, first_batch=2).train
    for (read, labels), (x, y) in zip(
        ours.take(4), theirs.take(4), strict=True
    ):
        np.testing.assert_array_equal(labels, y)
        x = tf.nest.map_structure(lambda array: array.numpy(), x)
        expected = model.frozen_features(x)
        np.testing.assert_allclose(read, expected, atol=1e-5)


@pytest.mark.backend_free
def test_a_run_on_features_ends_as_the_run_without(config, tmp_path):
    cached = train(config, tmp_path / "cached")
    config = config.with_settings(cache_features=False)
    plain = train(config, tmp_path / "plain")
    for name in ("train_loss", "validation_loss", "test_loss"):
        assert cached[name] == pytest.approx(plain[name], abs=1e-5)
    assert cached["test_accuracy"] == plain["test_accuracy"]
    again = evaluate(tmp_path / "cached")["loss"]
    assert again == pytest.approx(cached["test_loss"], abs=1e-5)
    histories = [
        (tmp_path / name / "history.csv").read_text().splitlines()
        for name in ("cached", "plain")
    ]
    for ours, theirs in zip(*histories, strict=True):
        assert ours.split(",")[0] == theirs.split(",")[0]


@pytest.mark.backend_free
def test_large_features_are_kept_on_disk(config, tmp_path, monkeypatch):
    in_memory = train(config, tmp_path / "memory")
    monkeypatch.setattr(feature_data, "MAX_BYTES_IN_MEMORY", 0)
    on_disk = train(config, tmp_path / "disk")
    assert on_disk | {"wall_seconds": 0} == in_memory | {"wall_seconds": 0}
    assert not (tmp_path / "disk" / "features.npy").exists()


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "bit_xor"}, "new training examples for each batch"),
        ({"dropout": 0.1}, "Use dropout=0"),
        ({"policy": "fpt"}, "Use policy='output_only'"),
    ],
    ids=str,
)
def test_runs_whose_features_change_are_refused(
    config, changes, message, tmp_path
):
    config = config.with_settings(**changes)
    with pytest.raises(ValueError, match=message):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.backend_free
def test_augmented_examples_are_refused():
    task = tasks.get("digits")
    data = dataclasses.replace(task.data, augment=lambda x, seed: x)
    task = dataclasses.replace(task, data=data)
    model = FPTClassifier(gpt2_backbone(), policy="output_only")
    with pytest.raises(ValueError, match="augments its training examples"):
        feature_data.check_cacheable(task, model)
