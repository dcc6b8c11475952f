import numpy as np
import pytest

from keras_fpt.tasks.user_data import audit, classes

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
        ([str(i / 7) for i in range(20)], None, "classification needs classes"),
        ([], None, "received none"),
        (["a", None], None, "row 2: the label is missing"),
        (["a", "None"], None, "'None' marks what is missing; if it is a class"),
        ([f"name {i}" for i in range(10)], None, "a different label"),
        (["a", "NaN"], None, "row 2: the label is missing"),
        ([0.0, np.inf], None, "row 2: the label inf is not a class"),
        (["a", "b"], ["a", "a"], "The class 'a' is named twice"),
        ([[0, 1]], None, "one label per example"),
    ],
)
def test_labels_that_cannot_be_used(labels, names, message):
    with pytest.raises(ValueError, match=message):
        classes.encode_labels(labels, where, names)


def test_equal_numbers_are_one_class_with_the_shortest_name():
    labels = ["1.0", "10", "1", "2.00", "1 ", "2", "+1"]
    y, names = classes.encode_labels(labels, where)
    assert names == ("1", "2", "10")
    assert y.tolist() == [0, 2, 0, 1, 0, 1, 0]
    (note,) = classes.spelling_notes(labels, names)
    assert "1.0 is 1" in note and "2.00 is 2" in note
    # Numbers beyond float64 are still compared exactly.
    large = ["9007199254740993", "9007199254740992"]
    assert len(classes.encode_labels(large, where)[1]) == 2
    assert classes.encode_labels([1, 1.0, "a"], where)[1] == ("1", "a")
    y, _ = classes.encode_labels(["2.0", "1"], where, ["1", "2"])
    assert y.tolist() == [1, 0]


def test_fractions_in_text_are_no_classes():
    labels = ["1", "0.0", "-0.0", "0.5", "-0.3"]
    with pytest.raises(ValueError, match=r"row 4: the label 0.5 is not a cl"):
        classes.encode_labels(labels, where)
    # Names are not numbers only because one of them looks like one.
    y, names = classes.encode_labels(["0.5", "low", "high"], where)
    assert names == ("0.5", "high", "low")


def test_missing_labels_and_names_of_folders():
    with pytest.raises(ValueError, match="row 2: the label is missing"):
        classes.encode_labels(["1", "-9.0", "2"], where, missing=["-9"])
    with pytest.raises(ValueError, match="row 3: the label is missing"):
        classes.encode_labels(["a", "b", "?"], where, missing=["?"])
    labels = ["none", "01", "1", "0.5"]
    names = classes.encode_labels(labels, where, are_names=True)[1]
    assert names == ("0.5", "01", "1", "none")


def test_a_class_with_one_example_is_noted():
    (finding,) = audit.single_examples(["a", "b", "c"], [5, 1, 3])
    assert finding.message.startswith("The class 'b' has a single example")
    (finding,) = audit.single_examples([*"abcdef"], [1] * 5 + [9])
    assert finding.message.startswith("The classes 'a', 'b', 'c' and 2 more")
    assert audit.single_examples(["a", "b"], [2, 3]) == []
