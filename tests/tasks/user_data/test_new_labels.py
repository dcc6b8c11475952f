"""The labels of new files, of each kind of data."""

import numpy as np
import pandas as pd
import pytest

from keras_fpt import tasks

pytestmark = pytest.mark.backend_free


def labels_of(task, path, labels=None, **options):
    _, names = task.reader.read(path)
    return tasks.read_new_labels(
        task.reader, path, names, task.class_names, options, labels
    )


def test_windows_and_groups_of_tables(tmp_path):
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "value": generator.normal(size=600),
            "who": np.repeat(np.arange(60), 10),
            "y": np.repeat(np.arange(60) % 2, 10).astype(float),
        }
    )
    frame.to_csv(tmp_path / "mine.csv", index=False)
    path = tmp_path / "mine.csv"
    task = tasks.get(path, label_column="y", group_column="who")
    expected = [task.class_names[n % 2] for n in range(60)]
    assert labels_of(task, path, label_column="y") == expected
    task = tasks.get(path, label_column="y", ignore_column="who", window=10)
    assert labels_of(task, path, label_column="y") == expected
    with pytest.raises(ValueError, match="no column 'z'"):
        labels_of(task, path, label_column="z")


def test_the_label_of_most_rows_counts_all_spellings(tmp_path):
    path = tmp_path / "mine.csv"
    rows = [f"{i % 7},{i // 10},{i // 10 % 2}" for i in range(300)]
    path.write_text("\n".join(["a,g,y", *rows]) + "\n")
    task = tasks.get(path, label_column="y", group_column="g", window=10)
    labels = ["1", "1.0", "01"] * 2 + ["0"] * 4
    rows = [f"{i},0,{label}" for i, label in enumerate(labels)]
    path.write_text("\n".join(["a,g,y", *rows]) + "\n")
    assert labels_of(task, path, label_column="y") == ["1"]


def test_windows_in_which_labels_tie_have_none(tmp_path):
    path = tmp_path / "mine.csv"
    rows = [f"{i % 7},{'ab'[i // 10 % 2]}" for i in range(300)]
    path.write_text("\n".join(["v,y", *rows]) + "\n")
    task = tasks.get(path, label_column="y", window=10, verbose=False)
    rows = [f"1,{label}" for label in "bbbbbaaaaa" + "abbbbbbbbb"]
    path.write_text("\n".join(["v,y", *rows]) + "\n")
    assert labels_of(task, path, label_column="y") == ["", "b"]
    found = labels_of(task, path, label_column="y", min_label_share=0.95)
    assert found == ["", ""]


def test_spellings_of_numbers_and_missing_labels(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("text,y\n" + "ab,0\nba,1\n" * 20)
    task = tasks.get(path, text_column="text", label_column="y")
    path.write_text("text,y\nab,0.0\nba,1.0\nab,\nab,7\n")
    assert labels_of(task, path, label_column="y") == ["0", "1", "", "7"]


def test_arrays(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 5, 2))
    y = np.array(["a", "b"])[np.arange(40) % 2]
    np.savez(tmp_path / "mine.npz", x=x, y=y)
    np.savez(tmp_path / "new.npz", x=x[:3], y=y[:3])
    task = tasks.get(tmp_path / "mine.npz")
    assert labels_of(task, tmp_path / "new.npz") == ["a", "b", "a"]
    np.savez(tmp_path / "none.npz", x=x[:3])
    np.save(tmp_path / "y.npy", y[:3])
    with pytest.raises(ValueError, match="has no array 'y'"):
        labels_of(task, tmp_path / "none.npz")
    found = labels_of(task, tmp_path / "none.npz", tmp_path / "y.npy")
    assert found == ["a", "b", "a"]
    np.save(tmp_path / "y.npy", y[:2])
    with pytest.raises(ValueError, match="each of 3 examples but found 2"):
        labels_of(task, tmp_path / "none.npz", tmp_path / "y.npy")


def test_records(tmp_path):
    fasta, table = tmp_path / "mine.fasta", tmp_path / "labels.csv"
    fasta.write_text("".join(f">sp|P{n}|X\nMKV\n" for n in range(20)))
    table.write_text("id,y\n" + "".join(f"P{n},{n % 2}\n" for n in range(20)))
    task = tasks.get(fasta, labels=table)
    assert labels_of(task, fasta, table) == [str(n % 2) for n in range(20)]
    with pytest.raises(ValueError, match="contains no labels.*--labels"):
        labels_of(task, fasta)


def test_folders(tmp_path):
    from PIL import Image

    for label in ("cat", "dog"):
        (tmp_path / "mine" / label / "day 1").mkdir(parents=True)
        for n in range(10):
            image = Image.new("L", (8, 8), n)
            image.save(tmp_path / "mine" / label / "day 1" / f"{n}.png")
    task = tasks.get(tmp_path / "mine")
    found = labels_of(task, tmp_path / "mine")
    assert found == ["cat"] * 10 + ["dog"] * 10
    with pytest.raises(ValueError, match="one subfolder per class"):
        labels_of(task, tmp_path / "mine" / "cat" / "day 1")


def test_spellings_of_booleans(tmp_path):
    path = tmp_path / "mine.csv"
    rows = [f"{i % 7},{['0', 'True', '1'][i % 3]}" for i in range(60)]
    path.write_text("\n".join(["v,y", *rows]) + "\n")
    task = tasks.get(path, label_column="y", verbose=False)
    assert task.class_names == ("False", "True")
    path.write_text("v,y\n1,true\n2,0\n3,FALSE\n")
    found = labels_of(task, path, label_column="y")
    assert found == ["True", "False", "False"]
    path.write_text("v,y\n1,true\n2,perhaps\n")
    assert labels_of(task, path, label_column="y") == ["True", "perhaps"]
