"""Arrays as people save them: splits, lengths, masks, padding, labels."""

import numpy as np
import pytest

from keras_fpt import tasks

pytestmark = pytest.mark.backend_free


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(60, 7, 3)).astype("float32")


@pytest.fixture
def y():
    return np.arange(60) % 3


@pytest.fixture
def lengths():
    return np.arange(60) % 6 + 2


def get(tmp_path, options=None, **arrays):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    return tasks.get(path, **(options or {}))


def rows(task):
    """All examples of a task by their bytes, with their class names."""
    return {
        np.asarray(x).tobytes(): task.class_names[y]
        for examples in task.data.splits.values()
        for x, y in zip(examples.x, examples.y, strict=True)
    }


@pytest.mark.parametrize(
    "names",
    ["{what}_{split}", "{split}_{what}"],
)
@pytest.mark.parametrize("validation", ["val", "validation"])
def test_names_of_arrays_give_the_split(x, y, tmp_path, names, validation):
    parts = {"train": slice(0, 40), validation: slice(40, 48)}
    parts["test"] = slice(48, 60)
    arrays = {
        names.format(what=what, split=split): values[part]
        for what, values in (("X", x), ("y", y))
        for split, part in parts.items()
    }
    task = get(tmp_path, **arrays)
    for split, part in parts.items():
        examples = task.data.splits[{"val": "validation"}.get(split, split)]
        np.testing.assert_array_equal(examples.x, x[part])
        np.testing.assert_array_equal(examples.y, y[part])
    new, names = task.reader.read(tmp_path / "mine.npz")
    np.testing.assert_array_equal(new, x)


def test_without_validation_a_tenth_of_train_is_for_it(x, y, tmp_path):
    task = get(
        tmp_path, x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:]
    )
    sizes = [len(part.y) for part in task.data.splits.values()]
    assert sizes == [36, 4, 20]
    np.testing.assert_array_equal(task.data.splits["test"].x, x[40:])


def test_ragged_sequences(x, y, lengths, tmp_path, capsys):
    sequences = [row[:n] for row, n in zip(x, lengths, strict=True)]
    expected = rows(tasks.from_arrays(sequences, y, verbose=False))
    mask = np.arange(7) < lengths[:, None]
    padded = np.where(mask[:, :, None], x, np.nan)
    for arrays in (
        {"x": x, "lengths": lengths},
        {"X": x, "mask": mask},
        {"x": x, "padding_mask": mask.astype("int64")},
        {"x": np.concatenate(sequences), "lengths": lengths},
        {"x": padded},
    ):
        task = get(tmp_path, Y=y, **arrays)
        assert rows(task) == expected
        assert "2 to 7" in capsys.readouterr().out
        new, _ = task.reader.read(tmp_path / "mine.npz")
        assert new.row_lengths().numpy().tolist() == lengths.tolist()


def test_ragged_splits_have_their_own_lengths(x, y, lengths, tmp_path):
    task = get(
        tmp_path,
        x_train=x[:40],
        y_train=y[:40],
        lengths_train=lengths[:40],
        x_test=x[40:],
        y_test=y[40:],
        lengths_test=lengths[40:],
    )
    found = task.data.splits["test"].x.row_lengths().numpy()
    assert found.tolist() == lengths[40:].tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lengths": np.full(60, 8)}, "length of example 0 is 8, but x has 7"),
        ({"lengths": np.arange(60)}, "length of example 0 is 0"),
        ({"lengths": np.full(60, 2.5)}, "whole numbers"),
        ({"lengths": np.full(50, 2)}, "50 lengths, 100 tokens altogether"),
        ({"mask": np.ones((60, 3, 7))}, r"mask of shape \(60, 7\)"),
        ({"mask": np.zeros((60, 7))}, "example 0 has no token"),
        ({"mask": np.full((60, 7), 2)}, "1 for tokens and 0 for padding"),
    ],
)
def test_lengths_that_do_not_fit(x, y, tmp_path, change, message):
    with pytest.raises(ValueError, match=f"mine.npz`.*{message}"):
        get(tmp_path, x=x, y=y, **change)


def test_objects_are_refused_with_a_way_to_save_them(x, y, lengths, tmp_path):
    objects = np.empty(60, object)
    objects[:] = [row[:n] for row, n in zip(x, lengths, strict=True)]
    with pytest.raises(ValueError, match=r"Save .*lengths=\[len\(s\) for s"):
        get(tmp_path, x=objects, y=y)
    with pytest.raises(ValueError, match=r"y=np.asarray\(y, str\)"):
        get(tmp_path, x=x, y=np.array(["a", "b", "c"], object)[y])


def test_nan_within_a_sequence_names_example_and_token(x, y, tmp_path):
    x[5, 2, 1] = np.nan
    with pytest.raises(ValueError, match="Example 5, token 2: .*ffill"):
        get(tmp_path, x=x, y=y)
    x[5] = np.nan
    with pytest.raises(ValueError, match="Example 5: every number is NaN"):
        get(tmp_path, x=x, y=y)


def test_labels_in_a_separate_file(x, y, tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, x)
    np.save(tmp_path / "y.npy", y)
    text = "\n".join(["subject,activity", *(f"1,{label}" for label in y)])
    (tmp_path / "y.csv").write_text(text + "\n")
    with pytest.raises(ValueError, match="contains no labels.*--labels"):
        tasks.get(path)
    with pytest.raises(ValueError, match="subject, activity. Name the one"):
        tasks.get(path, labels=tmp_path / "y.csv")
    expected = rows(tasks.from_arrays(x, y, verbose=False))
    assert rows(tasks.get(path, labels=tmp_path / "y.npy")) == expected
    task = tasks.get(path, labels=tmp_path / "y.csv", label_column="activity")
    assert rows(task) == expected
    np.testing.assert_array_equal(task.reader.read(path)[0], x)
    np.save(tmp_path / "y.npy", y[:50])
    with pytest.raises(ValueError, match="as many labels .* 50 and 60"):
        tasks.get(path, labels=tmp_path / "y.npy")


def test_other_arrays_give_labels_split_and_groups(x, y, tmp_path):
    split = np.array(["train"] * 40 + ["val"] * 8 + ["test"] * 12)
    options = {"label_column": "activity", "split_column": "part"}
    task = get(tmp_path, options, x=x, activity=y, part=split)
    np.testing.assert_array_equal(task.data.splits["test"].x, x[48:])
    with pytest.raises(ValueError, match="no array 'who'"):
        get(tmp_path, {"split_group": ["who"]}, x=x, y=y)
    with pytest.raises(ValueError, match="one value of 'who' for each of 60"):
        get(tmp_path, {"split_group": ["who"]}, x=x, y=y, who=y[:5])


def test_files_for_validation_and_testing(x, y, tmp_path):
    parts = {"train": slice(0, 40), "validation": slice(40, 48)}
    parts["test"] = slice(48, 60)
    for name, part in parts.items():
        np.savez(tmp_path / f"{name}.npz", x=x[part], y=y[part])
    task = tasks.get(
        tmp_path / "train.npz",
        validation=tmp_path / "validation.npz",
        test=tmp_path / "test.npz",
    )
    for name, part in parts.items():
        np.testing.assert_array_equal(task.data.splits[name].x, x[part])


def test_channels_first_are_suspected(tmp_path, capsys):
    x = np.random.default_rng(0).normal(size=(60, 3, 128))
    task = get(tmp_path, x=x, y=np.arange(60) % 2)
    assert [finding.kind for finding in task.findings] == ["channels-first"]
    assert "3 tokens of width 128" in capsys.readouterr().out
    task = get(tmp_path, x=np.swapaxes(x, 1, 2), y=np.arange(60) % 2)
    assert not task.findings
    ragged = [row[:, : 20 + i] for i, row in enumerate(x)]
    with pytest.raises(ValueError, match=r"3 channels .* \[row.T for row"):
        tasks.from_arrays(ragged, np.arange(60) % 2)


def test_images_and_labels_of_each_split_under_their_own_names(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {}
    for split, size in (("train", 20), ("val", 6), ("test", 8)):
        shape = (size, 28, 28)
        arrays[f"{split}_images"] = rng.integers(0, 255, shape, np.uint8)
        arrays[f"{split}_labels"] = np.arange(size)[:, None] % 2
    np.savez(tmp_path / "bloodmnist.npz", **arrays)
    task = tasks.get(tmp_path / "bloodmnist.npz", verbose=False)
    sizes = {s: len(part.y) for s, part in task.data.splits.items()}
    assert sizes == {"train": 20, "validation": 6, "test": 8}
    assert (task.sequence_length, task.input_dim) == (49, 16)
    test = task.data.splits["test"]
    assert test.y.tolist() == [0, 1] * 4
    # The second token is the patch to the right of the first.
    pixels = arrays["test_images"][3, :4, 4:8].ravel() / 127.5 - 1
    np.testing.assert_allclose(test.x[3][1], pixels, atol=1e-6)
    np.savez(tmp_path / "new.npz", images=arrays["test_images"])
    x, _ = task.reader.read(tmp_path / "new.npz")
    np.testing.assert_array_equal(x, test.x)
    color = rng.integers(0, 255, (12, 64, 64, 3), np.uint8)
    np.savez(tmp_path / "color.npz", x=color, y=np.arange(12) % 2)
    task = tasks.get(tmp_path / "color.npz", verbose=False)
    assert (task.sequence_length, task.input_dim) == (256, 48)
