"""Results by class on the page, from a run's metrics."""

import json

import numpy as np
import pytest
from written_runs import write_run

from keras_fpt.reports import write_report
from keras_fpt.runs import class_results

pytestmark = pytest.mark.backend_free


def test_classes_are_tabled_and_drawn(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    logits = rng.normal(size=(100, 3)) + 2 * np.eye(3)[labels]
    names = ["walk", "run", "<b>stand</b>"]
    measured = class_results.measure(logits, labels, names)
    mistakes = class_results.worst_mistakes(logits, labels)
    write_run(tmp_path / "run")
    path = tmp_path / "run/metrics.json"
    metrics = json.loads(path.read_text())
    metrics |= {f"test_{name}": value for name, value in measured.items()}
    path.write_text(json.dumps({**metrics, "test_mistakes": mistakes}))
    write_report([tmp_path], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == 4  # The curves, and three by class.
    assert f"{100 * measured['classes']['recall'][0]:.2f}" in page
    assert "<b>stand" not in page and "&lt;b&gt;stand" in page
    assert f"balanced accuracy {measured['balanced_accuracy']:.3f}" in page
    assert f"<td>{100 * mistakes[0]['probability']:.2f}</td>" in page


def test_the_worst_mistakes_are_the_surest():
    logits = np.log([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]])
    found = class_results.worst_mistakes(logits, np.array([0, 0, 0, 1]))
    assert [entry["place"] for entry in found] == [2, 1]
    assert found[0]["probability"] == 0.7
    assert (found[0]["label"], found[0]["answer"]) == (0, 1)


def test_curves():
    logits = np.log([[0.9, 0.1], [0.7, 0.3], [0.6, 0.4], [0.2, 0.8]])
    labels = np.array([0, 1, 0, 1])
    measured = class_results.measure(logits, labels)
    curve = measured["calibration"]
    assert curve["confidence"] == [0.6, 0.7, 0.8, 0.9]
    assert curve["accuracy"] == [1, 0, 1, 1]
    assert curve["examples"] == [1, 1, 1, 1]
    (roc,) = measured["classes"]["roc"]
    assert roc["false_positives"][0] == 0 and roc["true_positives"][-1] == 1
    width = np.diff(roc["false_positives"])
    area = (width * (np.array(roc["true_positives"][1:]))).sum()
    assert area == pytest.approx(measured["auroc"])
