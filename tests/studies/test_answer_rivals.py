"""Rivals of several labels per example, and of a label per token."""

import dataclasses

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from keras_fpt import tasks
from keras_fpt.results import baselines, load_runs
from keras_fpt.runs import RunConfig, build_model, resolve, test_examples
from keras_fpt.studies import (
    compare,
    cost,
    halving,
    rival_data,
    rival_features,
    rival_models,
    rival_shapes,
    rivals,
    saved_plans,
    small_cnn,
    token_rivals,
    variant_search,
)
from keras_fpt.studies.deadline import Deadline

pytestmark = pytest.mark.backend_free


def of_labels(count=200, path=None):
    """Three labels: the signs of two sums, and one that no example has."""
    x = np.random.default_rng(0).normal(size=(count, 4, 2)).astype("float32")
    y = np.c_[x.sum(1) > 0, np.zeros(count, bool)].astype("int32")
    if path is not None:
        np.savez(path, x=x, y=y)
    return tasks.from_arrays(x, y, task_type="multilabel", verbose=False)


def of_tokens(count=120, path=None):
    """Whether a number is above the one before it; lengths differ."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 9, count)
    x = rng.normal(size=(count, 8, 1)).astype("float32")
    y = np.full((count, 8), -1)
    y[:, 1:] = x[:, 1:, 0] > x[:, :-1, 0]
    y[np.arange(8) >= lengths[:, None]] = -1
    if path is not None:
        np.savez(path, x=x, y=y, lengths=lengths)
    x = [row[:length] for row, length in zip(x, lengths, strict=True)]
    return tasks.from_arrays(x, y, task_type="tokens", verbose=False)


def few_settings(monkeypatch, names):
    """Only the named rivals, each with its first two settings."""
    original = rival_models.of_task

    def chosen(task, run=None, probes=("linear_probe",)):
        return [
            dataclasses.replace(each, settings=each.settings[:2])
            for each in original(task, run, probes)
            if each.name in names
        ]

    monkeypatch.setattr(rival_models, "of_task", chosen)


def test_each_label_has_a_linear_model():
    task = of_labels()
    names = [each.name for each in rival_models.of_task(task)]
    assert names == [
        "logistic_regression", "gradient_boosting", "minirocket",
        "nearest_neighbor", "multirocket_hydra",
    ]  # fmt: skip
    known = ("gradient_boosting",)
    found, _ = rivals.fit_all(task, Deadline(), 60.0, known=known)
    by_name = {each.name: each for each in found}
    regression = by_name["logistic_regression"]
    data = rival_data.read_splits(task)
    train, test = data["train"], data["test"]
    scaler = StandardScaler().fit(train.flat)
    strength = float(regression.settings.removeprefix("C "))
    answers = np.zeros(test.y.shape, int)
    for label in range(2):
        model = LogisticRegression(C=strength, max_iter=200)
        model.fit(scaler.transform(train.flat), train.y[:, label])
        answers[:, label] = model.predict(scaler.transform(test.flat))
    assert regression.test_accuracy == np.mean(answers == test.y) > 0.9
    assert np.array_equal(regression.right, (answers == test.y).mean(axis=1))
    # AUROC is of the labels that some have, and some do not: two of three.
    logits = [
        LogisticRegression(C=strength, max_iter=200)
        .fit(scaler.transform(train.flat), train.y[:, label])
        .decision_function(scaler.transform(test.flat))
        for label in range(2)
    ]
    areas = [roc_auc_score(test.y[:, i], logits[i]) for i in range(2)]
    assert regression.test_auroc == pytest.approx(np.mean(areas))
    assert 0.5 < by_name["minirocket"].test_auroc <= 1
    assert by_name["nearest_neighbor"].test_auroc is None
    # The simple rule: none of the labels, or those of more than half.
    majority = rivals.simple_rule(task)
    rule = train.y.mean(axis=0) > 0.5
    assert majority.test_accuracy == np.mean(rule == test.y)
    assert majority.test_auroc == 0.5
    for each in ("minirocket", "nearest_neighbor"):
        assert by_name[each].test_accuracy > 0.6


def test_boosting_and_pieces_of_strings_predict_each_label():
    rng = np.random.default_rng(0)
    strings, labels = [], []
    for _ in range(160):
        text = "".join(rng.choice(list("abc"), 10))
        names = [name for name in ("xx", "yy") if rng.random() < 0.5]
        for name in names:
            place = rng.integers(len(text))
            text = text[:place] + name + text[place:]
        labels.append([name in names for name in ("xx", "yy")])
        strings.append(text)
    task = tasks.from_strings(
        strings, np.array(labels, int), task_type="multilabel", verbose=False
    )
    setting = {"learning_rate": 0.1, "max_iter": 3}
    data = rival_data.read_splits(task)
    boosting = rival_models._gradient_boosting(task, setting)
    boosting.fit(data["train"].flat, data["train"].y)
    assert boosting.predict(data["test"].flat).shape == data["test"].y.shape
    known = ("gradient_boosting", "logistic_regression")
    (pieces,), _ = rivals.fit_all(task, Deadline(), 60.0, known=known)
    assert pieces.name == "n_grams" and pieces.test_accuracy > 0.95
    assert pieces.test_auroc > 0.95
    scores = boosting.scores(data["test"].flat)
    assert scores.shape == data["test"].y.shape


def test_a_small_network_predicts_each_label_of_an_image():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(96, 8, 8, 1))
    y = np.stack([images.mean((1, 2, 3)) > 0, images[:, 0, 0, 0] > 9], axis=1)
    network = small_cnn.SmallCNN(1, 2, is_multilabel=True)
    answers = network.fit(images, y.astype(int)).predict(images)
    assert answers.shape == (96, 2) and set(np.unique(answers)) <= {0, 1}
    np.testing.assert_array_equal(network.scores(images) > 0, answers)


def test_neighbors_of_a_token_are_within_its_sequence():
    tokens = np.arange(8.0).reshape(2, 4, 1)
    rows = rival_data.Rows(tokens, np.array([4, 2]), np.zeros((2, 4)))
    model = token_rivals.NeighborsModel(None, 1)
    places = np.argwhere(np.arange(4) < rows.lengths[:, None])
    assert model._windows(rows, places).tolist() == [
        [0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 3], [4, 4, 5], [4, 5, 5],
    ]  # fmt: skip


def test_tokens_are_predicted_from_their_neighbors(monkeypatch):
    """A rule that no token tells alone; validation chooses the neighbors."""
    task = of_tokens()
    found, not_run = rivals.fit_all(task, Deadline(), 60.0)
    assert not not_run
    regression, boosting = found
    assert regression.name == "logistic_regression"
    assert not regression.settings.startswith("neighbors 0")
    assert min(regression.test_accuracy, boosting.test_accuracy) > 0.8
    # Scores are of tokens that have a label, as those of runs are.
    labels = task.test_labels()
    majority = rivals.simple_rule(task)
    rule = (task.majority_class == labels)[labels >= 0].mean()
    assert majority.test_accuracy == rule
    for each in (majority, regression):
        assert np.isclose(each.right.mean(), each.test_accuracy)
    # Fewer numbers than all windows have are used.
    monkeypatch.setattr(rival_data, "MAX_VALUES", 150)
    data = rival_data.read_splits(task)
    seen = []

    class Kept:
        def fit(self, x, y):
            seen.append(x.shape)

    token_rivals.NeighborsModel(Kept(), 1).fit(data["train"], data["train"].y)
    assert seen == [(50, 3)]


def test_integer_tokens_are_indicators_and_categories():
    x = np.random.default_rng(0).integers(0, 3, (60, 6))
    y = np.c_[np.zeros(60, int), (x[:, :-1] == 1)]
    task = tasks.from_arrays(x, y, task_type="tokens", verbose=False)
    data = rival_data.read_splits(task)
    for make, setting in (
        (token_rivals.logistic_regression, {"C": 10.0}),
        (
            token_rivals.gradient_boosting,
            {"learning_rate": 0.3, "max_iter": 30},
        ),
    ):
        model = make(task, {"neighbors": 1, **setting})
        model.fit(data["train"], data["train"].y)
        answers = model.predict(data["test"])
        assert (answers == data["test"].y).mean() > 0.9


@pytest.mark.parametrize("make", [of_labels, of_tokens])
def test_the_linear_probe_reads_frozen_states(make, preset):
    task = make(60)
    run = resolve(RunConfig("mine", preset), task)
    known = [rival.name for rival in rival_models.of_task(task)]
    (probe,), _ = rivals.fit_all(task, Deadline(), 60.0, run, known)
    # By hand: the model, its states, scaling and regression.
    keras.utils.set_random_seed(0)
    settings = {"policy": "output_only", "dropout": 0.0}
    config = RunConfig("mine", preset).with_settings(**settings)
    model = build_model(resolve(config, task))
    data = rival_data.read_splits(task)

    def states(rows):
        mask = np.arange(rows.tokens.shape[1]) < rows.lengths[:, None]
        x = {"tokens": rows.tokens, "padding_mask": mask}
        found = model.read_states(x, training=False)
        return keras.ops.convert_to_numpy(found)

    def rows_and_labels(split):
        x, y = states(data[split]), data[split].y
        return (x[y >= 0], y[y >= 0]) if task.is_per_token else (x[:, 0], y)

    (x, y), (new, labels) = map(rows_and_labels, ("train", "test"))
    scaler = StandardScaler().fit(x)
    strength = float(probe.settings.removeprefix("C "))
    answers = np.zeros_like(labels)
    for column in [...] if y.ndim == 1 else range(2):
        own = (slice(None), column) if y.ndim > 1 else column
        model_of = LogisticRegression(C=strength, max_iter=200)
        model_of.fit(scaler.transform(x), y[own])
        answers[own] = model_of.predict(scaler.transform(new))
    assert np.isclose(probe.test_accuracy, np.mean(answers == labels))


def compared(make, preset, folder, monkeypatch):
    """What `compare` returns for 60 examples, with two of the rivals."""
    few_settings(monkeypatch, ("logistic_regression", "linear_probe"))
    task = make(60, folder / "mine.npz")
    kind = "multilabel" if task.is_multilabel else "tokens"
    config = RunConfig(
        str(folder / "mine.npz"),
        preset,
        options={"task_type": kind},
        batch_size=20,
    )
    return compare.run_comparison(
        compare.Comparison(config), folder / "compared", 3600
    )


@pytest.mark.parametrize("make", [of_labels, of_tokens])
def test_compare_fits_rivals_and_their_arms_are_planned(
    make, preset, tmp_path, monkeypatch
):
    planned = []

    def costs(variants, *_):
        planned.extend(variants)
        return [cost.Cost(1.0, 1e4, 1.0)] * len(variants)

    monkeypatch.setattr(compare, "measure_arms", costs)
    output, table, _ = compared(make, preset, tmp_path, monkeypatch)
    arms = list(table.index.get_level_values("arm"))
    assert arms == ["majority", "logistic_regression", "linear_probe"]
    assert ("test_auroc" in table) == (make is of_labels)
    variants = planned[-4:]
    assert [each.arm for each in variants] == [
        "fpt", "random", "no_blocks", "fpt",
    ]  # fmt: skip
    # The probe's features are computed once, where they are a few numbers.
    readout = "last+mean" if make is of_labels else "token+mean"
    assert {each.model.readout for each in variants} == {readout}
    assert variants[-1].cache_features == (make is of_labels)


@pytest.mark.slow
@pytest.mark.parametrize("make", [of_labels, of_tokens])
def test_compare_says_whether_it_is_worth_it(
    make, preset, tmp_path, monkeypatch
):
    plan = saved_plans.HalvingPlan((1e-3, 1e-2), (3,), 3, 1, 20, 20, 3, 3)
    monkeypatch.setattr(compare, "make_plan", lambda *_: plan)
    monkeypatch.setattr(variant_search, "MAX_EXTENSIONS", 0)
    monkeypatch.setattr(halving, "_SHARE", 0.0)
    output, table, sentence = compared(make, preset, tmp_path, monkeypatch)
    assert sentence.startswith("A frozen tiny")
    assert "The best learning rate" in sentence or "worth it" in sentence
    runs = load_runs(output)
    assert set(runs["arm"]) == {"fpt", "random", "no_blocks"}
    assert (runs["status"] == "finished").all()
    arms = set(table.index.get_level_values("arm"))
    assert {"logistic_regression", "linear_probe"} <= arms
    # All have the AUROC that the runs have, and the rules that of a constant.
    assert ("test_auroc" in table) == (make is of_labels)
    if make is of_labels:
        assert (
            table.xs("majority class", level="arm")["test_auroc"] == 0.5
        ).all()
        assert table["test_auroc"].notna().all()
        assert ">test AUROC<" in (output / compare.REPORT).read_text()
    # Examples are compared one by one.
    final = runs[runs["final"]].iloc[0]
    kept = test_examples.read(final["folder"])
    assert np.isclose(kept.run.mean(), final["test_accuracy"])
    for each in baselines.read(output)[1:]:
        assert each.right.shape == kept.run.shape
    assert (output / compare.REPORT).is_file()


def test_one_label_of_all_tokens_is_predicted():
    y = np.array([[1, -1, 1], [-1, 1, 1]])
    states = rival_shapes.TokenStates(
        np.zeros((4, 2)), np.argwhere(y >= 0), y.shape
    )
    model = rival_shapes.EachToken(model=None)
    model.fit(states, y)
    assert np.array_equal(model.predict(states), y)


def test_a_probe_of_many_tokens_has_some_of_all_sequences(preset, monkeypatch):
    task = of_tokens(60)
    run = resolve(RunConfig("mine", preset), task)
    data = rival_data.read_splits(task)
    labels = data["train"].y
    every = rival_features.frozen_features(run, task, data["train"])
    whole = every(data["train"])
    assert len(whole.states) == (labels >= 0).sum()
    monkeypatch.setattr(rival_features, "_MOST_TOKENS", 80)
    some = every(data["train"])
    assert len(some.states) == 80 < len(whole.states)
    assert len(set(some.places[:, 0])) > 0.7 * len(labels)
    by_place = {tuple(p): s for p, s in zip(*whole[1::-1], strict=True)}
    for place, states in zip(some.places, some.states, strict=True):
        np.testing.assert_array_equal(states, by_place[tuple(place)])
    # All of test is predicted, in parts that there is room for.
    known = [rival.name for rival in rival_models.of_task(task)]
    (probe,), _ = rivals.fit_all(task, Deadline(), 60.0, run, known)
    assert probe.train_examples == len(labels)
    assert probe.test_examples == len(data["test"].y) > 80 // 8
    assert "test examples" not in probe.settings
    # Of those that have a label: so none was left out.
    assert probe.test_accuracy > 0.4
