import re

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from keras_fpt import tasks

pytestmark = pytest.mark.backend_free


def save_image(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(
        np.full((8, 8), value, "uint8") + np.eye(8, dtype="uint8")
    ).save(path)


def save_sound(path, hertz):
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(400) / 8000
    samples = np.sin(2 * np.pi * hertz * time) * 9000
    wavfile.write(path, 8000, samples.astype("int16"))


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    return path


def split_of(task):
    return {
        name: split
        for split, examples in task.data.splits.items()
        for name in examples.names
    }


@pytest.fixture
def urban(tmp_path):
    """Sounds in folders of folds, with equal names, and a table."""
    rows = [("slice_file_name", "fsID", "fold", "classID", "class")]
    for fold in (1, 2, 3):
        for number in range(8):
            name = f"100{number}-{number % 2}.wav"
            hertz = 300 + 100 * number + 10 * fold
            save_sound(tmp_path / "audio" / f"fold{fold}" / name, hertz)
            kind = ("dog_bark", "siren")[number % 2]
            rows.append((name, number, fold, number % 2, kind))
    return write(tmp_path / "metadata" / "urban.csv", rows)


def from_urban(path, **options):
    return tasks.get(
        path,
        label_column="class",
        file_column="slice_file_name",
        verbose=False,
        **options,
    )


def test_a_fold_of_sounds_with_their_labels_in_a_table(urban):
    task = from_urban(urban, split_group="fold", folds=3, fold=2)
    assert task.class_names == ("dog_bark", "siren")
    assert task.input_dim == 64 and task.findings == ()
    folds = [{}, {}]
    for split in ("train", "test"):
        names = task.data.splits[split].names
        folds[split == "test"] = {name.split("/")[1] for name in names}
    assert len(folds[1]) == 1 and not folds[0] & folds[1]
    for examples in task.data.splits.values():
        for name, label in zip(examples.names, examples.y, strict=True):
            assert int(name[-5]) == label
    with pytest.raises(ValueError, match="--image-size does not apply to sou"):
        from_urban(urban, image_size=8)


def test_names_that_several_files_have_are_refused(urban, tmp_path):
    text = urban.read_text().replace("fold,", "part,")
    urban.write_text(text)
    message = "row 1, .*: 3 files have the name '1000-0.wav'"
    with pytest.raises(ValueError, match=message):
        from_urban(urban)
    # The columns of groups may hold the names of the folders themselves.
    urban.write_text(re.sub(r"(\.wav,\d+),(\d)", r"\1,fold\2", text))
    task = from_urban(urban, split_group=["part"])
    assert len(split_of(task)) == 24


@pytest.fixture
def dogs(tmp_path):
    """Images whose names are in a table without their suffix."""
    rows = [("id", "breed", "split")]
    for number in range(20):
        save_image(tmp_path / "images" / f"{number:03}.png", 10 * number)
        split = "Testing" if number > 15 else "Training"
        rows.append((f"{number:03}", ("pug", "none")[number % 2], split))
    return write(tmp_path / "labels.csv", rows), rows


def test_names_without_suffix_and_a_given_split(dogs, tmp_path, capsys):
    path, rows = dogs
    write(path, [(a, b.replace("none", "boxer"), c) for a, b, c in rows])
    save_image(tmp_path / "images" / "other.png", 3)
    (tmp_path / "images" / "000.txt").write_text("a note on the image")
    task = tasks.from_file_table(path, "breed", "id", split_column="split")
    assert "not listed: 1 files, such as images/other.png" in (
        capsys.readouterr().out
    )
    splits = split_of(task)
    assert len(splits) == 20
    assert splits["images/016.png"] == "test"
    test = task.data.splits["test"]
    assert test.names == [f"images/{n:03}.png" for n in range(16, 20)]
    values = test.x[:, 0, 1, 0]
    np.testing.assert_array_equal(values, [160, 170, 180, 190])
    new, names = task.reader.read(tmp_path / "images" / "017.png")
    assert new.shape == (1, 4, 16) and names == ["017.png"]


def test_rows_without_label_or_file_are_noted(dogs, tmp_path, capsys):
    path, rows = dogs
    with pytest.raises(ValueError, match="row 2: the label is missing"):
        tasks.from_file_table(path, "breed", "id", verbose=False)
    rows = [(a, b.replace("none", "boxer"), c) for a, b, c in rows]
    write(path, [*rows, ("999", "pug", ""), ("888", "pug", "")])
    with pytest.raises(
        ValueError,
        match=r"row 21, column 'id': there is no file '999' .*2 of 22 rows",
    ):
        tasks.from_file_table(path, "breed", "id", verbose=False)
    write(path, [*rows, ("999", "pug", ""), ("003", "", ""), rows[1]])
    task = tasks.from_file_table(path, "breed", "id", drop_missing=True)
    out = capsys.readouterr().out
    assert "left out: 1 rows without a label or a file" in out
    assert "left out: 1 rows whose file is missing" in out
    assert "listed again: 1 rows, read once" in out
    assert len(split_of(task)) == 20
    write(path, [*rows, ("001", "pug", "Training")])
    with pytest.raises(
        ValueError,
        match="row 21: 'pug' in 'breed' contradicts 'boxer' in row 2",
    ):
        tasks.from_file_table(path, "breed", "id", verbose=False)


def test_recordings_by_a_table(tmp_path):
    generator = np.random.default_rng(0)
    rows = [("file", "activity", "person")]
    for number in range(12):
        name = f"trial{number}.csv"
        values = generator.normal(size=(30, 2)).round(3).tolist()
        write(tmp_path / "trials" / name, [("x", "y"), *values])
        kind = ("run", "walk")[number % 2]
        rows.append((f"trials\\{name}", kind, number // 2))
    task = tasks.from_file_table(
        write(tmp_path / "trials.csv", rows),
        "activity",
        "file",
        split_group="person",
        window=10,
        verbose=False,
    )
    assert (task.sequence_length, task.input_dim) == (10, 2)
    splits = split_of(task)
    assert len(splits) == 36
    people = {}
    for name, split in splits.items():
        number = int(re.search(r"trial(\d+)", name)[1])
        people.setdefault(number // 2, set()).add(split)
    assert all(len(found) == 1 for found in people.values())


@pytest.mark.parametrize(
    "cell", [r"C:\data\images\{}.PNG", "/home/me/dogs/Images/{}.png", "{}.Png"]
)
def test_paths_of_another_computer(dogs, tmp_path, cell):
    path, rows = dogs
    write(
        path,
        [rows[0]]
        + [(cell.format(a), b.replace("none", "b"), c) for a, b, c in rows[1:]],
    )
    task = tasks.from_file_table(path, "breed", "id", verbose=False)
    names = {f"images/{number:03}.png" for number in range(20)}
    assert set(split_of(task)) == names


def test_a_table_of_train_is_about_the_files_of_train(dogs, tmp_path):
    path, rows = dogs
    rows = [(a, b.replace("none", "boxer"), c) for a, b, c in rows]
    path = write(tmp_path / "train_labels.csv", rows)
    (tmp_path / "images").rename(tmp_path / "train_images")
    save_image(tmp_path / "test_images" / "003.png", 250)
    task = tasks.from_file_table(path, "breed", "id", verbose=False)
    assert len(split_of(task)) == 20
    assert "train_images/003.png" in split_of(task)


def test_text_in_place_of_a_file_is_named(dogs, tmp_path):
    path, rows = dogs
    write(path, [rows[0], *(("x" * 400, b, c) for _, b, c in rows[1:])])
    with pytest.raises(ValueError, match="row 1, column 'id': there is no fi"):
        tasks.from_file_table(path, "breed", "id", verbose=False)


def test_tables_of_files_for_training_and_testing(tmp_path):
    for split, count in (("train", 12), ("test", 6)):
        rows = [("file", "class")]
        for i in range(count):
            save_image(tmp_path / split / f"{i}.png", 20 * i)
            rows.append((f"{i}.png", "ab"[i % 2]))
        write(tmp_path / f"{split}.csv", rows)
        write(tmp_path / split / "list.csv", rows)
    options = {
        "file_column": "file",
        "label_column": "class",
        "verbose": False,
    }
    train, test = (tmp_path / s / "list.csv" for s in ("train", "test"))
    task = tasks.get(train, test=test, **options)
    sizes = {s: len(part.y) for s, part in task.data.splits.items()}
    assert sizes == {"train": 11, "validation": 1, "test": 6}
    assert task.data.splits["test"].names[1] == "test/list.csv, 1.png"
    assert task.data.splits["test"].y.tolist() == [0, 1] * 3
    again = tmp_path / "test" / "again.csv"
    write(again, [("file", "class"), ("../train/3.png", "b")])
    with pytest.raises(ValueError, match="3.png` is in .*list.csv`, row 4"):
        tasks.get(train, test=again, **options)
    # New tables of files are read and have their labels.
    x, names = tasks.read_new(task.reader, test, options)
    assert names == [f"{i}.png" for i in range(6)] and len(x) == 6
    np.testing.assert_array_equal(
        x[4], task.reader.read(tmp_path / "test" / "4.png")[0][0]
    )
    found = tasks.read_new_labels(
        task.reader, test, names, task.class_names, options
    )
    assert found == ["a", "b"] * 3


def test_windows_of_new_recordings_in_a_table(tmp_path):
    rows = [("file", "class")]
    for i in range(12):
        lines = "".join(f"{i + j * j % 7}\n" for j in range(20))
        (tmp_path / f"{i}.csv").write_text("v\n" + lines)
        rows.append((f"{i}.csv", "ab"[i % 2]))
    path = write(tmp_path / "meta" / "list.csv", rows)
    options = {"file_column": "file", "label_column": "class"}
    task = tasks.get(path, window=10, verbose=False, **options)
    x, names = tasks.read_new(task.reader, path, options)
    assert len(x) == 24 and names[3] == "1.csv, rows 11-20"
    found = tasks.read_new_labels(
        task.reader, path, names, task.class_names, options
    )
    assert found == ["a", "a", "b", "b"] * 6
