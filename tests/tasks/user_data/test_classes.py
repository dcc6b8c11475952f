import numpy as np
import pytest

from keras_fpt.tasks.user_data import classes

pytestmark = pytest.mark.backend_free


def where(place):
    return f"row {place + 1}"


def test_names_are_sorted_and_numbered():
    y, names = classes.encode_labels(["run", "sit", "run"] * 4, where)
    assert names == ("run", "sit")
    assert y.tolist() == [0, 1, 0] * 4 and y.dtype == np.int32


@pytest.mark.parametrize("kind", [str, int])
def test_numbers_are_ordered_as_numbers(kind):
    labels = [kind(value) for value in (10, 2, 10, 2)]
    y, names = classes.encode_labels(labels, where)
    assert names == ("2", "10")
    assert y.tolist() == [1, 0, 1, 0]


def test_bytes_and_mixed_objects_are_text():
    assert classes.encode_labels([b"a", b"b"], where)[1] == ("a", "b")
    labels = np.array([1, "b"], object)
    assert classes.encode_labels(labels, where)[1] == ("1", "b")


def test_a_column_of_labels():
    y, names = classes.encode_labels([["a"], ["b"], ["a"]], where)
    assert y.tolist() == [0, 1, 0] and names == ("a", "b")


def test_booleans_are_two_classes():
    y, names = classes.encode_labels([True, False, True], where)
    assert names == ("False", "True") and y.tolist() == [1, 0, 1]


def test_known_classes_take_names_and_places():
    names = ["sit", "run"]
    assert classes.encode_labels(["run", "sit"], where, names)[0].tolist() == [
        1,
        0,
    ]
    assert classes.encode_labels([1, 0], where, names)[0].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        (np.eye(3), None, "shape .3, 3.. For one-hot labels"),
        (["a", ""], None, "row 2: the label is missing"),
        ([0.5, 1.0], None, "row 1: the label 0.5 is not a class"),
        ([0.0, float("nan")], None, "row 2: the label nan is not a class"),
        (["a", "a"], None, "Every example has the label 'a'"),
        (["a", "b"], ["a", "c"], "row 2: the label 'b' is not one of the 2"),
        ([0, 2], ["a", "b"], "row 2: the label '2' is not one of the 2"),
        ([0, -1], ["a", "b"], "row 2: the label '-1' is not one of the 2"),
        (["a", "b"], ["a", "b", "c"], "The class 'c' has no example"),
        ([str(i / 7) for i in range(20)], None, "does not do regression"),
        ([], None, "received none"),
        (["a", None], None, "row 2: the label is missing"),
        (["a", "NaN"], None, "row 2: the label is missing"),
        ([0.0, np.inf], None, "row 2: the label inf is not a class"),
        (["a", "b"], ["a", "a"], "The class 'a' is named twice"),
        ([[0, 1]], None, "one label per example"),
    ],
)
def test_labels_that_cannot_be_used(labels, names, message):
    with pytest.raises(ValueError, match=message):
        classes.encode_labels(labels, where, names)
