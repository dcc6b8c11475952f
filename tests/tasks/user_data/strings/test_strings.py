import pytest

from keras_fpt import tasks

pytestmark = pytest.mark.backend_free

SMILES = ["CCO", "CCN", "c1ccccc1", "CC(=O)O", "CCCl"] * 10
LABELS = ["a", "b", "b", "a", "b"] * 10


def decode(task):
    """The strings that a task holds, with their classes' names."""
    found = []
    for examples in task.data.splits.values():
        for tokens, label in zip(examples.x, examples.y, strict=True):
            text = "".join(task.symbols[token] for token in tokens.numpy())
            found.append((text, task.class_names[label]))
    return sorted(found)


def test_characters_are_tokens():
    task = tasks.from_strings(SMILES, LABELS, verbose=False)
    assert task.vocabulary_size == len(set("".join(SMILES)))
    assert task.sequence_length == 8
    assert decode(task) == sorted(zip(SMILES, LABELS, strict=True))


def test_long_strings_are_left_out_and_counted(capsys):
    task = tasks.from_strings(SMILES, LABELS, max_length=7)
    assert task.sequence_length == 7 and len(decode(task)) == 40
    assert "left out: 10 longer than 7" in capsys.readouterr().out


@pytest.fixture
def table(tmp_path):
    rows = "\n".join(map(",".join, zip(SMILES, LABELS, strict=True)))
    path = tmp_path / "molecules.csv"
    path.write_text(f"smiles,active\n{rows}\n")
    return path


def test_a_column_of_a_table(table):
    task = tasks.get(
        table, text_column="smiles", label_column="active", verbose=False
    )
    assert task.name == "molecules"
    assert decode(task) == sorted(zip(SMILES, LABELS, strict=True))
    x, names = task.reader.read(table)
    assert names[1] == "row 2"
    assert "".join(task.symbols[t] for t in x[1].numpy()) == "CCN"


def test_new_characters_have_a_separate_token(table, tmp_path, capsys):
    task = tasks.get(table, text_column="smiles", label_column="active")
    assert task.symbols == (*sorted(set("".join(SMILES))), "\ufffd")
    assert task.vocabulary_size == len(task.symbols)
    assert "one more token stands for characters" in capsys.readouterr().out
    path = tmp_path / "new.csv"
    path.write_text("smiles\nCCO\nCCBr\n")
    x, _ = task.reader.read(path)
    assert "".join(task.symbols[t] for t in x[1].numpy()) == "CC\ufffd\ufffd"
    assert "characters Br are new" in capsys.readouterr().out


def test_runs_of_earlier_versions_refuse_a_new_character(table, tmp_path):
    task = tasks.get(
        table, text_column="smiles", label_column="active", verbose=False
    )
    saved = tasks.reader_to_json(task.reader)
    saved |= {"alphabet": saved["alphabet"][:-1], "unknown": None}
    old = tasks.as_saved(task, saved)
    assert old.vocabulary_size == task.vocabulary_size - 1 == len(old.symbols)
    assert f"vocabulary of {old.vocabulary_size} " in old.description
    assert old.data.fingerprint == task.data.fingerprint
    assert tasks.as_saved(task, tasks.reader_to_json(task.reader)) is task
    task = old
    path = tmp_path / "new.csv"
    path.write_text("smiles\nCCO\nCCBr\n")
    with pytest.raises(ValueError, match="new.csv`, row 2: the character 'B'"):
        task.reader.read(path)
    path.write_text("smiles\nCCO\n" + "C" * 2000 + "\n")
    with pytest.raises(ValueError, match="row 2: expected 1 to 1,024"):
        task.reader.read(path)


@pytest.mark.parametrize(
    ("strings", "labels", "message"),
    [
        (["a", ""], [0, 1], "string 2: expected text but received ''"),
        (["a", 3], [0, 1], "string 2: expected text but received 3"),
        (["a", "b"], [0], "as many labels as strings"),
        (["aaa", "bbb"], [0, 1], "Every string is longer than 2"),
    ],
)
def test_strings_that_cannot_be_used(strings, labels, message):
    with pytest.raises(ValueError, match=message):
        tasks.from_strings(strings, labels, max_length=2, verbose=False)


CELLS = ["CCO", "c1ccccc1", "NA", "CCN"] * 10


def table_of(tmp_path, texts=CELLS, name="mine.csv", labels=None):
    labels = labels or ["a", "b"] * (len(texts) // 2)
    rows = [
        f"{text},{label},s{i // 4}"
        for i, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]
    path = tmp_path / name
    path.write_text("\n".join(["smiles,y,scaffold", *rows]) + "\n")
    return path


def get(path, **options):
    return tasks.get(path, text_column="smiles", label_column="y", **options)


def test_missing_words_are_no_strings(tmp_path, capsys):
    path = table_of(tmp_path)
    with pytest.raises(ValueError, match=r"row 3: .*missing \('NA'\)"):
        get(path)
    task = get(path, drop_missing=True)
    assert sum(len(part.y) for part in task.data.splits.values()) == 30
    assert "left out: 10 whose string in 'smiles'" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"row 3: .*missing \('NA'\)"):
        task.reader.read(path)
    task = get(path, drop_missing=True, missing=["CCN"])
    assert sum(len(part.y) for part in task.data.splits.values()) == 20
    old = tasks.reader_from_json(
        {
            "kind": "StringReader",
            "alphabet": "1ACNOc",
            "max_length": 9,
            "text_column": "smiles",
        }
    )
    assert len(old.read(path)[1]) == 40


def test_missing_labels_are_left_out_on_request(tmp_path):
    labels = ["0", "1", "", "1"] * 10
    path = table_of(tmp_path, ["CCO", "CCN"] * 20, labels=labels)
    with pytest.raises(ValueError, match="row 3: the label is missing"):
        get(path)
    task = get(path, drop_missing=True)
    assert sum(len(part.y) for part in task.data.splits.values()) == 30
    with pytest.raises(ValueError, match="Nothing is left of 40 examples"):
        get(path, drop_missing=True, missing=["CCO", "CCN"])


def test_a_number_that_marks_missing_strings_may_be_a_label(tmp_path, capsys):
    path = table_of(
        tmp_path, ["CCO", "CCN", "0", "0"] * 10, labels=["0", "1"] * 20
    )
    task = get(path, missing=["0"], drop_missing=True)
    assert task.class_names == ("0", "1")
    assert sum(len(part.y) for part in task.data.splits.values()) == 20
    assert "labels: 0 is a label" in capsys.readouterr().out


def test_groups_and_folds_of_strings(tmp_path):
    path = table_of(tmp_path, [f"C{'CNO'[i % 3]}" for i in range(40)])
    tested = []
    for fold in (1, 2, 3):
        task = get(path, split_group="scaffold", folds=3, fold=fold)
        scaffolds = [
            {(int(name.rpartition(" ")[2]) - 1) // 4 for name in part.names}
            for part in task.data.splits.values()
        ]
        assert sum(map(len, scaffolds)) == 10
        tested += scaffolds[2]
    assert sorted(tested) == list(range(10))
    with pytest.raises(ValueError, match="no column 'family'"):
        get(path, split_group="family")


def test_tables_for_validation_and_testing(tmp_path, capsys):
    train = table_of(tmp_path, ["CC", "CN"] * 10)
    new = {
        split: table_of(tmp_path, ["CCC", "CC=C"] * 3, f"{split}.csv")
        for split in ("validation", "test")
    }
    task = get(train, **new)
    assert [len(part.y) for part in task.data.splits.values()] == [20, 6, 6]
    assert task.data.splits["test"].names[0] == f"`{new['test']}`, row 1"
    assert "in no training example: =;" in capsys.readouterr().out
    # What is new for the reader too is read as what training never saw.
    path = table_of(tmp_path, ["CX", "C="], "new.csv")
    x, _ = task.reader.read(path)
    assert x.tolist() == [[1, 0], [1, 0]]
    assert "characters X are new" in capsys.readouterr().out


def test_bases_of_both_cases_are_said(messages):
    strings = ["ACGTacgtNN", "ACGGttgaNA"] * 30
    tasks.from_strings(strings, ["a", "b"] * 30)
    assert any("lower case are different" in message for message in messages)
    messages.clear()
    tasks.from_strings(SMILES, LABELS)
    tasks.from_strings([s.upper() for s in strings], ["a", "b"] * 30)
    assert not any("lower case" in message for message in messages)
