import dataclasses
import time

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from keras_fpt import tasks
from keras_fpt.results import baselines
from keras_fpt.runs import RunConfig, build_model, resolve
from keras_fpt.studies import rival_data, rival_models, rivals
from keras_fpt.studies.deadline import Deadline

pytestmark = pytest.mark.backend_free


@pytest.fixture(scope="module")
def sums():
    """Whether a sequence's numbers add up to more than 0."""
    x = np.random.default_rng(0).normal(size=(400, 4, 3)).astype("float32")
    y = (x.sum((1, 2)) > 0).astype("int32")
    return tasks.from_arrays(x, y, verbose=False)


def test_a_linear_rule_is_found_by_logistic_regression(sums):
    found, not_run = rivals.fit_all(sums, Deadline(), 60.0)
    assert [entry.what for entry in not_run] == ["multirocket_hydra"]
    regression, boosting = found[:2]
    assert regression.name == "logistic_regression"
    assert regression.validation_accuracy > 0.9
    assert regression.test_accuracy > 0.9 > boosting.test_accuracy
    assert regression.train_examples + regression.test_examples < 400
    # The same by hand, at the setting that was chosen.
    data = {
        split: (rows.flat, rows.y)
        for split, rows in rival_data.read_splits(sums).items()
    }
    strength = float(regression.settings.removeprefix("C "))
    scaler = StandardScaler().fit(data["train"][0])
    model = LogisticRegression(C=strength, max_iter=200)
    model.fit(scaler.transform(data["train"][0]), data["train"][1].ravel())
    accuracy = model.score(
        scaler.transform(data["test"][0]), data["test"][1].ravel()
    )
    assert regression.test_accuracy == accuracy


def test_the_majority(sums):
    found = rivals.simple_rule(sums)
    labels = sums.data.labels("test")
    most_common = np.bincount(sums.data.labels("train")).argmax()
    assert found.test_accuracy == np.mean(labels == most_common)
    assert found.test_examples == len(labels)


def test_tokens_are_flattened_with_their_padding():
    """Sequences of 1 to 3 tokens, whose first token is the answer."""
    generator = np.random.default_rng(0)
    sequences = [
        np.r_[i % 2, generator.integers(0, 2, i % 3)] for i in range(300)
    ]
    task = tasks.from_strings(
        ["".join("ab"[token] for token in tokens) for tokens in sequences],
        ["ab"[tokens[0]] for tokens in sequences],
        verbose=False,
    )
    x, known, y, _ = rival_data.read_splits(task)["train"]
    assert x.shape[1] == 3 and y.shape == (len(x), 1)
    padding = task.vocabulary_size
    lengths = (x != padding).sum(1)
    assert np.array_equal(lengths, known)
    assert set(lengths) == {1, 2, 3}
    assert all(
        (row[n:] == padding).all() for row, n in zip(x, lengths, strict=True)
    )
    found, not_run = rivals.fit_all(task, Deadline(), 60.0)
    names = [baseline.name for baseline in found]
    assert names == ["logistic_regression", "gradient_boosting", "n_grams"]
    assert [b.test_accuracy for b in found[:2]] == [1, 1] and not not_run


def test_several_answers_have_a_model_each():
    found, not_run = rivals.fit_all(tasks.get("bit_xor"), Deadline(), 60.0)
    regression, boosting = found
    # XOR is not linear in the bits, but depends on only two of them.
    assert regression.test_accuracy < 0.6 and boosting.test_accuracy == 1
    assert regression.test_examples == 2000 and not not_run


def test_too_many_answers_are_not_fitted():
    found, not_run = rivals.fit_all(tasks.get("bit_memory"), Deadline(), 60.0)
    assert not found and len(not_run) == 2
    assert (
        "one model for each of an example's 1,000 answers" in not_run[0].reason
    )


def test_without_time_nothing_is_fitted(sums):
    found, not_run = rivals.fit_all(sums, Deadline(0), 60.0)
    assert not found
    chosen = [rival.name for rival in rival_models.of_task(sums)]
    assert [entry.what for entry in not_run] == chosen
    assert "Give a larger budget" in not_run[0].reason


def test_no_more_than_so_many_numbers_are_used(sums, monkeypatch):
    monkeypatch.setattr(rival_data, "MAX_VALUES", 50 * 12)
    rows = rival_data.read_splits(sums)["train"]
    assert rows.flat.shape == (50, 12) and rows.y.shape == (50, 1)


def test_they_are_saved_with_the_runs(sums, tmp_path):
    (tmp_path / "within").mkdir()
    found = [rivals.simple_rule(sums)]
    baselines.write(found, tmp_path / "within")
    assert baselines.read(tmp_path) == found
    (tmp_path / "within" / baselines.FILE).write_text('{"entries": [{}]}')
    with pytest.raises(ValueError, match="baselines.json.*'task'"):
        baselines.read(tmp_path)


def waves(count=150, length=40):
    """Slow and fast waves of different lengths, each at a random phase."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 2
    x = [
        np.sin((0.3 + 0.4 * label) * np.arange(size) + rng.uniform(0, 6))
        + 0.1 * rng.normal(size=size)
        for label, size in zip(
            labels, rng.integers(length // 2, length, count), strict=True
        )
    ]
    return tasks.from_arrays(
        [row[:, None].astype("float32") for row in x], labels, verbose=False
    )


def test_what_an_expert_on_series_tries_first():
    """The order of a wave's numbers tells its class, each of them nothing."""
    task = waves()
    assert rival_data.data_kind(task) == rival_data.SERIES
    known = ("gradient_boosting",)
    found, not_run = rivals.fit_all(task, Deadline(), 60.0, known=known)
    by_name = {baseline.name: baseline for baseline in found}
    for name in ("minirocket", "nearest_neighbor"):
        assert by_name[name].test_accuracy > 0.9
        assert by_name[name].right.shape == (by_name[name].test_examples,)
    assert by_name["logistic_regression"].test_accuracy < 0.8
    (missing,) = not_run
    assert missing.what == "multirocket_hydra"
    assert "pip install 'keras-fpt[compare]'" in missing.reason


def test_short_pieces_of_strings():
    """Classes differ in a piece that may be anywhere."""
    rng = np.random.default_rng(0)
    strings, labels = [], []
    for i in range(200):
        letters = "".join(rng.choice(list("abcd"), 20))
        place = rng.integers(18)
        piece = ("xyz", "zyx")[i % 2]
        strings.append(letters[:place] + piece + letters[place:])
        labels.append(i % 2)
    task = tasks.from_strings(strings, labels, verbose=False)
    found, _ = rivals.fit_all(
        task, Deadline(), 60.0, known=("gradient_boosting",)
    )
    accuracy = {each.name: each.test_accuracy for each in found}
    assert accuracy["n_grams"] > 0.95 > 0.8 > accuracy["logistic_regression"]


def test_tables_have_only_boosting_and_images_a_small_network(tmp_path):
    table = tmp_path / "rows.csv"
    lines = [f"{i % 7},{i % 5},{'ab'[i % 2]}" for i in range(60)]
    table.write_text("\n".join(["x,z,label", *lines]))
    task = tasks.get(str(table), label_column="label")
    assert rival_data.data_kind(task) == rival_data.TABLE
    assert rival_data.data_kind(tasks.get("digits")) == rival_data.IMAGES
    for each, more in ((task, []), (tasks.get("digits"), ["small_cnn"])):
        names = [rival.name for rival in rival_models.of_task(each)]
        assert names == ["logistic_regression", "gradient_boosting", *more]


def test_the_linear_probe_reads_the_frozen_models_features(preset):
    task = waves(60, 20)
    run = resolve(RunConfig("waves", preset), task)
    known = [rival.name for rival in rival_models.of_task(task)]
    found, _ = rivals.fit_all(task, Deadline(), 60.0, run, known)
    (probe,) = found
    assert probe.name == "linear_probe"
    # By hand: the model, its features, scaling and regression.
    keras.utils.set_random_seed(0)
    settings = {"policy": "output_only", "dropout": 0.0}
    config = RunConfig("waves", preset).with_settings(**settings)
    model = build_model(resolve(config, task))
    data = rival_data.read_splits(task)

    def features(rows):
        mask = np.arange(rows.tokens.shape[1]) < rows.lengths[:, None]
        x = {"tokens": rows.tokens, "padding_mask": mask}
        states = model.read_states(x, training=False)
        return keras.ops.convert_to_numpy(states)[:, 0]

    scaler = StandardScaler().fit(features(data["train"]))
    strength = float(probe.settings.removeprefix("C "))
    regression = LogisticRegression(C=strength, max_iter=200).fit(
        scaler.transform(features(data["train"])), data["train"].y[:, 0]
    )
    expected = regression.predict(scaler.transform(features(data["test"])))
    assert np.array_equal(probe.right == 1, expected == data["test"].y[:, 0])


PROBES = ("linear_probe", "linear_probe_of_steps")


def test_one_more_probe_reads_the_steps_of_a_series_cut_into_patches(preset):
    task = waves(60, 20)
    config = RunConfig("waves", preset)
    run = resolve(config.with_settings(patch_size=5), task)
    steps = resolve(config, task)
    known = [rival.name for rival in rival_models.of_task(task)]
    (patches, more), _ = rivals.fit_all(
        task, Deadline(), 60.0, run, known, probes=PROBES
    )
    (alone,), _ = rivals.fit_all(task, Deadline(), 60.0, steps, known)
    assert (patches.name, more.name) == (
        "linear_probe",
        "linear_probe_of_steps",
    )
    assert np.array_equal(more.right, alone.right)
    assert more.settings == alone.settings


def test_the_control_of_a_probe_has_random_weights(preset):
    task = waves(60, 20)
    run = resolve(RunConfig("waves", preset, seed=3), task)
    control = resolve(RunConfig("waves", preset, "random", seed=3), task)
    known = [rival.name for rival in rival_models.of_task(task)]
    names = ("linear_probe", "linear_probe_of_random")
    (probe, random), _ = rivals.fit_all(
        task, Deadline(), 60.0, run, known, probes=names
    )
    (expected,), _ = rivals.fit_all(task, Deadline(), 60.0, control, known)
    assert (probe.name, random.name) == names
    assert np.array_equal(random.right, expected.right)
    assert not np.array_equal(random.right, probe.right)


def test_it_needs_a_position_for_each_step(preset):
    task = waves(60, 200)
    config = RunConfig("waves", preset)
    run = resolve(config.with_settings(patch_size=25), task)
    known = [rival.name for rival in rival_models.of_task(task)]
    (patches,), (missing,) = rivals.fit_all(
        task, Deadline(), 60.0, run, known, probes=PROBES
    )
    assert patches.name == "linear_probe"
    assert missing.what == "linear_probe_of_steps"
    assert "positions" in missing.reason


def test_a_rival_is_fitted_to_what_there_is_time_for(sums):
    """Features that take five thousandths of a second for each example."""

    def prepare(task, train):
        def transform(rows):
            time.sleep(0.005 * len(rows.y))
            return rows.flat

        return transform

    slow = dataclasses.replace(rival_models.of_task(sums)[0], prepare=prepare)
    data = rival_data.read_splits(sums)
    found = rivals._fit(sums, slow, data, Deadline(), 1.5)
    held_out = len(data["validation"].y)
    assert 64 <= found.train_examples <= 180 - held_out
    with pytest.raises(Exception, match="would take 1 s for the features"):
        rivals._fit(sums, slow, data, Deadline(), 0.5)
