"""Results by class, on answers whose metrics follow by hand."""

import json

import numpy as np
import pytest

from keras_fpt.cli import class_table
from keras_fpt.runs import class_results

pytestmark = pytest.mark.backend_free


def test_three_classes():
    labels = np.array([0, 0, 0, 0, 1, 1, 2])
    answers = np.array([0, 0, 0, 1, 1, 0, 0])
    result = class_results.measure(np.eye(4)[answers], labels, "abcd")
    classes = result["classes"]
    assert classes["confusion"] == [
        [3, 1, 0, 0],
        [1, 1, 0, 0],
        [1, 0, 0, 0],
        [0, 0, 0, 0],
    ]
    assert classes["precision"] == pytest.approx([3 / 5, 1 / 2, 0, 0])
    assert classes["recall"] == pytest.approx([3 / 4, 1 / 2, 0, 0])
    assert classes["examples"] == [4, 2, 1, 0]
    assert classes["names"] == ["a", "b", "c", "d"]
    # The class without examples counts for nothing.
    assert result["balanced_accuracy"] == pytest.approx((3 / 4 + 1 / 2) / 3)
    assert result["macro_f1"] == pytest.approx((2 / 3 + 1 / 2) / 3)
    json.dumps(result)


def test_area_under_the_curve():
    logits = np.array([[0, 1.0], [0, 3.0], [0, 2.0], [0, 4.0]])
    labels = np.array([0, 0, 1, 1])
    # Of four pairs of a class-1 and a class-0 example, three are in order.
    assert class_results.measure(logits, labels)["auroc"] == 0.75
    one = class_results.measure(logits, np.zeros(4, int))
    assert one["auroc"] is None


def test_calibration():
    """Confidence of 0.9 where 0.6 are right is off by 0.3."""
    probabilities = np.tile([0.9, 0.1], (10, 1))
    labels = np.repeat([0, 1], [6, 4])
    error = class_results.calibration_error(probabilities, labels)
    assert error == pytest.approx(0.3)


def test_temperature_undoes_a_scale():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 3))
    noise = rng.gumbel(size=logits.shape)
    labels = (logits + noise).argmax(axis=1)  # Drawn from the softmax.
    for scale in (0.5, 1.0, 4.0):
        found = class_results.fit_temperature(scale * logits, labels)
        assert found == pytest.approx(scale, rel=0.03)


def test_more_classes_than_anyone_reads():
    result = class_results.measure(np.eye(101), np.arange(101))
    assert "classes" not in result and result["macro_f1"] == 1


def test_the_terminal_names_mistakes(capsys):
    labels = np.array([0, 0, 1, 1, 1])
    answers = np.array([0, 1, 0, 0, 1])
    measured = class_results.measure(
        np.eye(2)[answers], labels, ["cat", "[dog]"]
    )
    metrics = {f"test_{name}": value for name, value in measured.items()}
    metrics |= {"temperature": 1.0, "test_scaled_calibration_error": 0.1}
    class_table.print_classes(metrics)
    output = capsys.readouterr().out
    assert "[dog] predicted as cat (2); cat predicted as [dog] (1)." in output
    *_, matrix = output.split("Confusion matrix: examples by prediction\n")
    rows = [line.strip("│┃ ").split() for line in matrix.splitlines()]
    assert ["label", "┃", "cat", "┃", "[dog]"] in rows
    assert ["cat", "│", "1", "│", "1"] in rows
    assert ["[dog]", "│", "2", "│", "1"] in rows
    class_table.print_classes({})
    assert not capsys.readouterr().out
