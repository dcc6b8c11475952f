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


def test_a_new_character_is_refused(table, tmp_path):
    task = tasks.get(
        table, text_column="smiles", label_column="active", verbose=False
    )
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
