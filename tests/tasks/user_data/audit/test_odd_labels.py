"""Labels in odd spellings, and numbers that mark what is missing."""

import numpy as np
import pytest

from keras_fpt import tasks
from keras_fpt.tasks.user_data.audit import class_names, unlabeled_classes

pytestmark = pytest.mark.backend_free

VALUES = np.random.default_rng(0).normal(size=(120, 2)).round(3)


def write(path, labels, cells=None):
    rows = [
        f"{VALUES[n, 0]},{VALUES[n, 1] if cells is None else cells[n]},{label}"
        for n, label in enumerate(labels)
    ]
    path.write_text("\n".join(["a,b,y", *rows]), encoding="utf-8")
    return str(path)


def notes(path, **options):
    found = tasks.get(path, label_column="y", **options).findings
    return {each.kind: str(each) for each in found}


def test_a_word_among_fractions_is_named(tmp_path):
    """It would make each number a class."""
    labels = [f"{value:.1f}" for value in VALUES[:, 0]]
    labels[7] = labels[20] = "<0.1"
    path = write(tmp_path / "odd.csv", labels)
    with pytest.raises(ValueError, match="row 8: the label '<0.1' is not a nu"):
        tasks.get(path, label_column="y")
    task = tasks.get(path, label_column="y", missing="<0.1", drop_missing=True)
    assert task.is_regression
    task = tasks.get(path, label_column="y", task_type="classification")
    assert "<0.1" in task.class_names


def test_a_word_among_fractions_of_a_large_table_is_named(
    tmp_path, monkeypatch
):
    from keras_fpt.tasks.user_data import sequences

    monkeypatch.setattr(sequences, "MAX_BYTES_IN_MEMORY", 100)
    labels = [f"{value:.1f}" for value in VALUES[:, 0]]
    labels[7] = "<0.1"
    path = write(tmp_path / "odd.csv", labels)
    with pytest.raises(ValueError, match="row 8: the label '<0.1' is not a nu"):
        tasks.get(path, label_column="y")


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        (("5%", "10%", "20%"), "10%"),
        (("50 kg", "60 kg", "72.5 kg"), "50 kg"),
        (("−1", "0", "1"), "−1"),
    ],
)
def test_classes_that_are_numbers_are_noted(tmp_path, texts, shown):
    path = write(tmp_path / "odd.csv", [texts[n % 3] for n in range(120)])
    found = notes(path)["numbers-as-text"]
    assert f"such as '{shown}'" in found
    assert "--task-type regression" in found


@pytest.mark.parametrize(
    "texts",
    [("1", "2", "3"), ("1st", "2nd", "3rd"), ("2D", "3D"), ("a1", "a2", "a3")],
)
def test_other_classes_are_not_noted(texts):
    assert class_names.numbers_as_classes(texts) == []


def test_categories_with_a_unit_are_noted(tmp_path):
    cells = [f"{10 * (n % 4)} mg" for n in range(120)]
    path = write(tmp_path / "odd.csv", ["x", "z"] * 60, cells)
    assert "such as '0 mg'" in notes(path)["numbers-as-text"]


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        # Composed, and with an accent of its own, as macOS names folders.
        (("café", "cafe\u0301", "thé"), r"'caf\xe9' and 'cafe\u0301'"),
        (("cat", "cat\u200b", "dog"), r"'cat' and 'cat\u200b'"),
        (("True", "yes", "no"), "'True' and 'yes'"),
        (("1", "01", "2"), "'1' and '01'"),
    ],
)
def test_spellings_of_one_class_are_noted(names, shown):
    (found,) = class_names.similar_classes(names)
    assert shown in found.message


@pytest.mark.parametrize(
    "names", [("yes", "no"), ("0", "1"), ("t", "f", "x"), ("m2", "m3")]
)
def test_other_names_differ(names):
    assert class_names.similar_classes(names) == []


def test_a_class_that_marks_missing_labels_is_noted(tmp_path):
    labels = [-9 if n % 10 == 0 else n % 2 for n in range(120)]
    path = write(tmp_path / "odd.csv", labels)
    found = notes(path)["mark-of-missing"]
    assert found.endswith("--missing -9 --drop-missing.")
    task = tasks.get(path, label_column="y", missing="-9", drop_missing=True)
    assert task.class_names == ("0", "1")
    assert unlabeled_classes.missing_as_class(["98", "99", "100"]) == []
    assert unlabeled_classes.missing_as_class(["-1", "0", "1"]) == []


@pytest.mark.parametrize(
    ("names", "mark"),
    [
        (("0", "1", "255"), "255"),
        (("1", "2", "3", "-100"), "-100"),
        (("-1", "0", "1", "2"), "-1"),
        (("cat", "dog", "Not_labeled"), "Not_labeled"),
        (("cat", "dog", "unlabeled"), "unlabeled"),
        (("cat", "dog", "unknown"), "unknown"),
    ],
)
def test_classes_of_examples_without_a_label_are_noted(tmp_path, names, mark):
    labels = [names[n % len(names)] for n in range(120)]
    path = write(tmp_path / "odd.csv", labels)
    found = notes(path)["mark-of-missing"]
    assert found.startswith(f"The class '{mark}' is learned like others.")
    array = tasks.from_arrays(VALUES, labels, verbose=False)
    assert [f for f in array.findings if f.kind == "mark-of-missing"]
    if mark != "-1":
        assert found.endswith(f"--missing {mark} --drop-missing.")
        task = tasks.get(
            path, label_column="y", missing=mark, drop_missing=True
        )
        assert sorted(task.class_names or ()) == sorted({*names} - {mark})


@pytest.mark.parametrize(
    "names",
    [
        # Directions, the signs of a margin, black and white, grays.
        ("-1", "0", "1"),
        ("-1", "1"),
        ("0", "255"),
        ("0", "127", "255"),
        ("-2", "-1", "0", "1", "2"),
        ("253", "254", "255"),
        # Known beside unknown, and words to spot among others.
        ("known", "unknown"),
        ("guilty", "unknown"),
        ("yes", "no", "_unknown_", "_silence_"),
        ("yes", "no", "unknown", "silence"),
        ("a", "b", "none"),
    ],
)
def test_classes_like_those_without_a_label_are_not_noted(names):
    assert unlabeled_classes.unlabeled_as_class(names) == []


def test_numbers_to_predict_that_mark_missing_labels_are_noted(tmp_path):
    labels = [-999 if n % 10 == 0 else VALUES[n, 0] for n in range(120)]
    path = write(tmp_path / "odd.csv", labels)
    assert "10.0% of the labels are -999" in notes(path)["sentinel"]
    options = {"missing": "-999", "drop_missing": True}
    assert "sentinel" not in notes(path, **options)


@pytest.mark.parametrize(
    ("mark", "usual"),
    [
        ("9999-12-31", [f"2024-01-{n % 28 + 1:02}" for n in range(120)]),
        ("99999999", [str(n % 40) for n in range(120)]),
        ("-9", [str(n % 6) for n in range(120)]),
        ("-1", [str(20 + n % 60) for n in range(120)]),
    ],
)
def test_the_advice_on_marks_of_missing_cells_can_be_typed(
    tmp_path, mark, usual
):
    usual = [*np.random.default_rng(1).permutation(usual)]
    cells = [mark if n % 9 == 0 else cell for n, cell in enumerate(usual)]
    path = write(tmp_path / "odd.csv", ["x", "z", "z"] * 40, cells)
    assert f"--missing {mark} --fill median" in notes(path)["sentinel"]
    found = notes(path, missing=mark, fill="median")
    assert "sentinel" not in found


@pytest.mark.parametrize(
    "texts",
    [
        ("rain;wind;", "wind;", "rain;"),
        ("rain;rain", "wind;rain", "rain"),
        ("rain,wind", "wind", "rain"),
    ],
)
def test_several_labels_that_are_read_as_classes_are_noted(tmp_path, texts):
    labels = [f'"{texts[n % 3]}"' for n in range(120)]
    path = write(tmp_path / "tags.csv", labels)
    found = notes(path)["joined-classes"]
    separator = ";" if ";" in texts[0] else ","
    assert f"'{texts[0]}'" in found and found.endswith(
        f"--label-separator {class_names.quote(separator)}."
    )
    task = tasks.get(
        path,
        label_column="y",
        task_type="multilabel",
        label_separator=separator,
    )
    assert task.class_names == ("rain", "wind")


@pytest.mark.parametrize(
    "texts",
    [("a", "b"), ("Paris, France", "Lyon, France"), ("a;b", "c;d"), (";", ",")],
)
def test_classes_with_separators_are_not_noted(texts):
    assert class_names.joined_classes(texts) == []


def test_groups_that_differ_in_their_spelling_are_noted(tmp_path):
    def found(*groups):
        cells = [groups[n % len(groups)] for n in range(120)]
        path = tmp_path / "groups.csv"
        write(path, [n // 60 for n in range(120)], cells)
        return notes(str(path), split_group="b").get("similar-groups", "")

    others = [f"q{n}" for n in range(20)]
    assert "'P1' and 'p1'" in found("P1", "p1", *others)
    assert "'3' and '03'" in found("3", "03", *others)
    # They are one, as pandas writes numbers.
    assert found("3", "3.0", *others) == ""
