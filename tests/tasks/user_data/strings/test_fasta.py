import gzip

import pytest

from keras_fpt import tasks
from keras_fpt.tasks import nucleotides

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
    with pytest.raises(
        ValueError, match="mine.fasta`: a FASTA file contains no"
    ):
        tasks.from_fasta(files[0])


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ("id,fold\np0,a\n", {}, "record p1: it has no row in"),
        ("id,fold\np0,a\np0,b\n", {}, "row 2: 'p0' has a row already"),
        ("id,fold,x\np0,a,1\n", {}, "id, fold, x. Name the one with"),
        ("id,fold\np0,a\n", {"label_column": "y"}, "no column 'y'"),
        ("id,fold\np0,a\n", {"id_column": "name"}, "no column 'name'"),
    ],
)
def test_tables_of_labels_that_do_not_fit(files, labels, options, message):
    files[1].write_text(labels)
    with pytest.raises(ValueError, match=message):
        tasks.from_fasta(*files, verbose=False, **options)


def task_of(tmp_path, records, labels, name="mine.fasta", **options):
    text = "".join(f">{k}\n{v}\n" for k, v in records.items())
    content = text.encode()
    if name.endswith(".gz"):
        content = gzip.compress(content)
    (tmp_path / name).write_bytes(content)
    (tmp_path / "labels.csv").write_text(labels)
    return tasks.get(tmp_path / name, labels=tmp_path / "labels.csv", **options)


def labels_of(task):
    """The class name of each record."""
    return {
        name: task.class_names[y]
        for part in task.data.splits.values()
        for name, y in zip(part.names, part.y, strict=True)
    }


@pytest.mark.parametrize(
    "key", ["P{:05}", "N{}_HUMAN", "sp|P{0:05}|N{0}_HUMAN"]
)
def test_names_of_uniprot_meet_their_rows(tmp_path, key):
    records = {
        f"sp|P{n:05}|N{n}_HUMAN Name OS=Homo sapiens": "MKVL" + "A" * (n % 5)
        for n in range(40)
    }
    rows = [f"{key.format(n)},{'ab'[n % 2]}" for n in range(40)]
    task = task_of(tmp_path, records, "\n".join(["id,y", *rows[::-1]]))
    assert labels_of(task) == {
        f"sp|P{n:05}|N{n}_HUMAN": "ab"[n % 2] for n in range(40)
    }


def test_names_that_may_be_several_rows_are_refused(tmp_path):
    records = {"sp|P00001|A": "MKV", "tr|P00001|B": "MKV"}
    with pytest.raises(ValueError, match="'P00001' is both .*A and .*B"):
        task_of(tmp_path, records, "id,y\nP00001,a\n")
    with pytest.raises(ValueError, match="may be each of P00001, A"):
        task_of(tmp_path, records, "id,y\nP00001,a\nA,b\n")


DNA = {f"d{n}": "ACGTN"[n % 5 :] + "acgt" * 5 for n in range(40)}
ROWS = "id,y,family\n" + "".join(
    f"d{n},{'ab'[n % 2]},f{n // 4}\n" for n in range(40)
)


@pytest.mark.parametrize("name", ["mine.fasta", "mine.fna", "mine.fa.gz"])
def test_dna_is_read_as_nucleotides(tmp_path, capsys, name):
    task = task_of(tmp_path, DNA, ROWS, name, label_column="y")
    assert "only letters of nucleotides" in capsys.readouterr().out
    assert task.symbols == tuple("ACGTRYSWKMBDHVN")
    for part in task.data.splits.values():
        for tokens, record in zip(part.x, part.names, strict=True):
            text = "".join(task.symbols[token] for token in tokens.numpy())
            assert text == DNA[record].upper()
    reader = tasks.reader_from_json(tasks.reader_to_json(task.reader))
    (tmp_path / "new.fasta").write_text(">r1\nACGU\nRY\n")
    assert reader.read(tmp_path / "new.fasta")[0].tolist() == [
        [0, 1, 2, 3, 4, 5]
    ]
    (tmp_path / "new.fasta").write_text(">p1\nACGL\n")
    with pytest.raises(ValueError, match="p1: 'L' at position 4 is not a nuc"):
        reader.read(tmp_path / "new.fasta")


def test_readers_of_older_runs_read_proteins(tmp_path):
    reader = tasks.reader_from_json({"kind": "FastaReader", "max_length": 9})
    (tmp_path / "new.fasta").write_text(">r1\nACGT\n")
    assert reader.read(tmp_path / "new.fasta")[0].tolist() == [[0, 1, 5, 16]]


def test_missing_labels_and_rows_are_left_out_on_request(tmp_path, capsys):
    labels = ROWS.replace("d3,b", "d3,NA").replace("d5,b,f1\n", "")
    options = {"label_column": "y"}
    with pytest.raises(ValueError, match="record d5: it has no row"):
        task_of(tmp_path, DNA, labels, **options)
    labels = ROWS.replace("d3,b", "d3,NA")
    with pytest.raises(ValueError, match=r"row 4 \(d3\): the label is missing"):
        task_of(tmp_path, DNA, labels, **options)
    labels = labels.replace("d5,b,f1\n", "d50,b,f1\n")
    task = task_of(tmp_path, DNA, labels, drop_missing=True, **options)
    assert set(labels_of(task)) == set(DNA) - {"d3", "d5"}
    out = capsys.readouterr().out
    assert "left out: 1 whose label is missing" in out
    assert "left out: 1 records without a row" in out


def test_columns_of_the_label_table_split_the_records(tmp_path):
    parts = ["train"] * 28 + ["val"] * 4 + ["test"] * 8
    rows = ROWS.splitlines()
    labels = "\n".join(
        [f"{rows[0]},part"]
        + [f"{row},{part}" for row, part in zip(rows[1:], parts, strict=True)]
    )
    options = {"label_column": "y", "split_column": "part"}
    task = task_of(tmp_path, DNA, labels, **options)
    assert task.data.splits["test"].names == [f"d{n}" for n in range(32, 40)]
    task = task_of(tmp_path, DNA, ROWS, label_column="y", split_group="family")
    families = [
        {int(name[1:]) // 4 for name in part.names}
        for part in task.data.splits.values()
    ]
    assert not families[0] & families[2] and not families[0] & families[1]
    assert sum(map(len, families)) == 10


def test_a_label_table_without_a_header_is_told_to_have_one(files):
    path, labels = files
    labels.write_text("".join(f"P{i},{'ab'[i % 2]}\n" for i in range(9)))
    with pytest.raises(ValueError, match="Write a first row of names") as info:
        tasks.get(path, labels=labels)
    assert "--no-header" not in str(info.value)


def test_versions_of_records(tmp_path):
    fasta, table = tmp_path / "mine.fasta", tmp_path / "labels.csv"
    names = [f">P1234{n}.1 something" for n in range(10)]
    names += [f">ref|NM_0{n}.12|" for n in range(10)]
    fasta.write_text("".join(f"{name}\nMKVW\n" for name in names))
    ids = [f"P1234{n}" for n in range(10)] + [f"NM_0{n}.3" for n in range(10)]
    rows = [f"{name},{i % 2}\n" for i, name in enumerate(ids)]
    table.write_text("id,y\n" + "".join(rows))
    task = tasks.get(fasta, labels=table, verbose=False)
    assert sum(len(part.y) for part in task.data.splits.values()) == 20


def test_gaps_of_alignments_are_named(tmp_path):
    path, labels = tmp_path / "dna.fasta", tmp_path / "labels.csv"
    path.write_text("".join(f">r{i}\nACGT--ACGT\n" for i in range(20)))
    labels.write_text("id,y\n" + "".join(f"r{i},{i % 2}\n" for i in range(20)))
    with pytest.raises(
        ValueError, match="r0: '-' at position 5 is not a nucleotide.* gaps out"
    ):
        tasks.from_fasta(path, labels)


def test_dna_with_many_codes_of_several_bases_is_no_protein():
    """A fifth of the letters, as of a consensus."""
    assert nucleotides.are_nucleotides(["ACGTACGTRYKM" * 9, "ACGT" * 9])
    # Of a protein with these letters, few are A, C, G, T and N.
    assert not nucleotides.are_nucleotides(["KRHWSKVDMKAKGR"])
