import pytest

from keras_fpt import tasks

pytestmark = pytest.mark.backend_free

SEQUENCES = {f"p{n}": "ACDEFGHIKL"[n % 7 :] + "M" * (n % 5) for n in range(40)}


@pytest.fixture
def files(tmp_path):
    fasta, labels = tmp_path / "mine.fasta", tmp_path / "labels.csv"
    fasta.write_text(
        "".join(f">{k} from somewhere\n{v}\n" for k, v in SEQUENCES.items())
    )
    rows = "".join(f"{k},{'ab'[len(v) % 2]}\n" for k, v in SEQUENCES.items())
    labels.write_text(f"id,fold\n{rows}")
    return fasta, labels


def test_records_meet_their_labels(files):
    task = tasks.from_fasta(*files, verbose=False)
    assert task.name == "mine" and task.class_names == ("a", "b")
    assert task.vocabulary_size == 25
    seen = 0
    for examples in task.data.splits.values():
        for tokens, label, name in zip(*examples[:3], strict=True):
            text = "".join(task.symbols[token] for token in tokens.numpy())
            assert text == SEQUENCES[name]
            assert task.class_names[label] == "ab"[len(text) % 2]
            seen += 1
    assert seen == 40


def test_long_sequences_are_left_out_and_counted(files, capsys):
    task = tasks.from_fasta(*files, max_length=10)
    long = sum(len(s) > 10 for s in SEQUENCES.values())
    kept = sum(len(e.y) for e in task.data.splits.values())
    assert kept == 40 - long
    assert f"left out: {long} longer than 10" in capsys.readouterr().out


def test_new_records_need_no_labels(files):
    task = tasks.from_fasta(*files, verbose=False)
    x, names = task.reader.read(files[0])
    assert names == list(SEQUENCES)
    assert x.row_lengths().numpy().tolist() == [
        len(s) for s in SEQUENCES.values()
    ]


def test_a_fasta_file_without_labels(files):
    with pytest.raises(ValueError, match="mine.fasta`: a FASTA file holds no"):
        tasks.from_fasta(files[0])


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ("id,fold\np0,a\n", {}, "record p1: it has no row in"),
        ("id,fold\np0,a\np0,b\n", {}, "row 2: 'p0' has a row already"),
        ("id,fold,x\np0,a,1\n", {}, "id, fold, x. Say which one holds"),
        ("id,fold\np0,a\n", {"label_column": "y"}, "no column 'y'"),
        ("id,fold\np0,a\n", {"id_column": "name"}, "no column 'name'"),
    ],
)
def test_tables_of_labels_that_do_not_fit(files, labels, options, message):
    files[1].write_text(labels)
    with pytest.raises(ValueError, match=message):
        tasks.from_fasta(*files, verbose=False, **options)
