"""Runs on data with several labels per example, or a label for each row."""

# Fixtures are imported, and then named as arguments.
# ruff: noqa: F401, F811
import json

import numpy as np
import pandas as pd
import pytest
from interrupting import fail_at, result, small_evaluations
from scipy import special
from sklearn import metrics as sk

from keras_fpt import tasks
from keras_fpt.runs import (
    RunConfig,
    checkpoint_folder,
    evaluate,
    evaluate_file,
    label_results,
    predict,
    predict_split,
    test_examples,
    train,
)

NAMES = ["cat", "dog"]
STATES = ["down", "up"]


def write_labels(path, seed=0):
    """Rows with two labels, of which one follows from the first column."""
    x = np.random.default_rng(seed).normal(size=(120, 3))
    y = (x[:, :2] > [0, 0.5]).astype(int)
    frame = pd.DataFrame(x, columns=list("abc"))
    frame = frame.assign(**dict(zip(NAMES, y.T, strict=True)))
    frame.to_csv(path, index=False)
    return frame


def write_series(path, seed=0):
    """Rows whose label follows from their own number."""
    values = np.random.default_rng(seed).normal(size=203)
    states = np.where(values > 0, "up", "down")
    frame = pd.DataFrame({"v": values, "state": states})
    frame.to_csv(path, index=False)
    return frame


KINDS = {
    "multilabel": (write_labels, {"label_column": NAMES}),
    "tokens": (
        write_series,
        {"label_column": "state", "task_type": "tokens", "window": 8},
    ),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def config(kind, preset, tmp_path_factory):
    """A run of ten steps: evaluated after four, eight and ten."""
    write, options = KINDS[kind]
    path = tmp_path_factory.mktemp("data") / "own.csv"
    write(path)
    return RunConfig(str(path), preset, options=options).with_settings(
        depth=1, steps=10, batch_size=20, learning_rate=1e-2
    )


@pytest.fixture(scope="module")
def finished(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    train(config, folder)
    return folder


def test_what_a_run_measures(kind, finished):
    metrics = json.loads((finished / "metrics.json").read_text())
    for split in ("train", "validation", "test"):
        assert 0 <= metrics[f"{split}_accuracy"] <= 1
    classes = metrics["test_classes"]
    assert classes["names"] == (NAMES if kind == "multilabel" else STATES)
    assert ("confusion" in classes) == (kind == "tokens")
    assert 0 <= metrics["test_macro_f1"] <= 1
    again = evaluate(finished)
    assert again["accuracy"] == pytest.approx(metrics["test_accuracy"])
    assert again["classes"] == classes
    # The mean score of the examples is the accuracy, and so is the rule's.
    scores = test_examples.read(finished)
    assert scores.run.mean() == pytest.approx(metrics["test_accuracy"])
    assert scores.rules["majority class"].mean() == pytest.approx(
        metrics["test_majority_accuracy"]
    )


def test_predictions_agree_with_the_metrics(kind, finished):
    frame = predict_split(finished, "test")
    metrics = json.loads((finished / "metrics.json").read_text())
    agree = (frame["prediction"] == frame["label"]).mean()
    name = "test_exact_match" if kind == "multilabel" else "test_accuracy"
    assert agree == pytest.approx(metrics[name])


def test_new_files(kind, finished, tmp_path):
    write = KINDS[kind][0]
    frame = write(tmp_path / "new.csv", seed=1)
    predicted = predict(finished, tmp_path / "new.csv", tmp_path / "out.csv")
    read = pd.read_csv(tmp_path / "out.csv")
    assert list(read["prediction"]) == list(predicted["prediction"])
    assert list(predicted["example"]) == [
        f"row {i + 1}" for i in range(len(frame))
    ]
    scores = evaluate_file(finished, tmp_path / "new.csv")
    assert scores["examples"] == len(frame)
    if kind == "tokens":
        assert list(predicted["label"]) == list(frame["state"])
        agree = np.mean(predicted["prediction"] == frame["state"])
        sums = predicted["probability_down"] + predicted["probability_up"]
        np.testing.assert_allclose(sums, 1, rtol=1e-6)
    else:
        own = predicted[[f"probability_{name}" for name in NAMES]] > 0.5
        agree = (own.to_numpy() == frame[NAMES]).mean(axis=None)
        exact = np.mean(predicted["prediction"] == predicted["label"])
        assert scores["exact_match"] == pytest.approx(exact)
        turned = evaluate_file(
            finished, tmp_path / "new.csv", label_column=NAMES[::-1]
        )
        assert turned == scores
        with pytest.raises(ValueError, match="found one column of 0 and 1"):
            evaluate_file(finished, tmp_path / "new.csv", label_column="cat")
    assert scores["accuracy"] == pytest.approx(agree)
    # Labels are not needed.
    names = NAMES if kind == "multilabel" else ["state"]
    frame.drop(columns=names).to_csv(tmp_path / "bare.csv", index=False)
    bare = predict(finished, tmp_path / "bare.csv")
    assert "label" not in bare
    assert list(bare["prediction"]) == list(predicted["prediction"])
    frame[names[0]] = "owl"
    frame.to_csv(tmp_path / "wrong.csv", index=False)
    with pytest.raises(ValueError, match="row 1.*'owl'"):
        evaluate_file(finished, tmp_path / "wrong.csv")


def test_a_killed_run_ends_as_if_nothing_had_happened(
    config, finished, tmp_path, monkeypatch
):
    class Killed(BaseException):
        pass

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        fail_at(patch, checkpoint_folder, "write", 3, Killed, False)
        with pytest.raises(Killed):
            train(config, folder)
    train(config, folder, resume=True)
    assert result(folder) == result(finished)


@pytest.mark.backend_free
def test_overlapping_windows_answer_each_row_once(preset, tmp_path):
    frame = write_series(tmp_path / "own.csv")
    options = KINDS["tokens"][1] | {"stride": 3}
    config = RunConfig(
        str(tmp_path / "own.csv"), preset, options=options
    ).with_settings(depth=1, steps=2, batch_size=8)
    train(config, tmp_path / "run")
    frame = frame[:21]
    frame.to_csv(tmp_path / "new.csv", index=False)
    predicted = predict(tmp_path / "run", tmp_path / "new.csv")
    assert len(predicted) == 21
    sums = predicted["probability_down"] + predicted["probability_up"]
    np.testing.assert_allclose(sums, 1, rtol=1e-6)
    # Rows 1 to 3 are in one window alone, those of the first eight rows.
    frame[:8].to_csv(tmp_path / "first.csv", index=False)
    first = predict(tmp_path / "run", tmp_path / "first.csv")
    columns = ["probability_down", "probability_up"]
    np.testing.assert_allclose(
        predicted[columns][:3], first[columns][:3], rtol=1e-4
    )


@pytest.mark.backend_free
@pytest.mark.parametrize(
    "settings, words",
    [
        ({"class_weight": "balanced"}, "do not have one class each"),
        ({"loss": "huber"}, "is for a regression"),
    ],
)
def test_what_such_runs_refuse(settings, words, config, tmp_path):
    with pytest.raises(ValueError, match=words):
        train(config.with_settings(**settings), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.backend_free
def test_metrics_of_several_labels_against_scikit_learn():
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(50, 3))
    labels = (logits + generator.normal(size=(50, 3)) > 0).astype(int)
    labels[:, 2] = 1  # Which has no AUROC.
    found = label_results.measure(logits, labels, ["a", "b", "c"])
    answers = logits > 0
    assert found["exact_match"] == sk.accuracy_score(labels, answers)
    assert found["macro_f1"] == sk.f1_score(labels, answers, average="macro")
    assert found["micro_f1"] == sk.f1_score(labels, answers, average="micro")
    expected = sk.roc_auc_score(labels[:, :2], special.expit(logits[:, :2]))
    assert found["auroc"] == pytest.approx(expected)
    assert found["classes"]["auroc"][2] is None
    assert [curve["name"] for curve in found["classes"]["roc"]] == ["a", "b"]
    json.dumps(found)


@pytest.mark.backend_free
def test_scores_of_tokens_weigh_tokens_alike():
    has_label = np.array([[True, True, True], [True, False, False]])
    is_right = np.array([[True, True, False], [False, True, True]])
    scores = tasks.token_scores(is_right, has_label)
    assert scores.mean() == pytest.approx(2 / 4)
