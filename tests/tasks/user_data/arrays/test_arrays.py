import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fpt import tasks

pytestmark = pytest.mark.backend_free


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(60, 7, 3)).astype("float32")


@pytest.fixture
def y():
    return np.arange(60) % 3


def rows(task):
    """All examples of a task by their bytes, with their class names."""
    found = {}
    for examples in task.data.splits.values():
        for x, y in zip(examples.x, examples.y, strict=True):
            found[np.asarray(x).tobytes()] = task.class_names[y]
    return found


def test_arrays_are_taken_as_they_are(x, y):
    task = tasks.from_arrays(x, y, verbose=False)
    assert (task.sequence_length, task.input_dim) == (7, 3)
    assert task.class_names == ("0", "1", "2")
    expected = {a.tobytes(): str(b) for a, b in zip(x, y, strict=True)}
    assert rows(task) == expected


def test_labels_may_be_names(x):
    labels = np.where(x.mean((1, 2)) > 0, "up", "down")
    task = tasks.from_arrays(x, labels, verbose=False)
    assert task.class_names == ("down", "up")
    expected = {a.tobytes(): b for a, b in zip(x, labels, strict=True)}
    assert rows(task) == expected


def test_numbers_a_time_step_are_tokens_of_width_1(x, y):
    task = tasks.from_arrays(x[:, :, 0], y, verbose=False)
    assert (task.sequence_length, task.input_dim) == (7, 1)


def test_integers_are_tokens_of_a_vocabulary(y):
    x = np.random.default_rng(0).integers(0, 9, (60, 5))
    task = tasks.from_arrays(x, y, verbose=False)
    assert (task.vocabulary_size, task.input_dim) == (9, None)
    assert next(iter(task.datasets(4).train))[0].dtype == tf.int32


def test_sequences_of_different_lengths_are_padded_and_masked(y):
    generator = np.random.default_rng(0)
    x = [generator.normal(size=(n % 6 + 2, 3)) for n in range(60)]
    task = tasks.from_arrays(x, y, verbose=False)
    assert task.sequence_length == 7
    by_label = {}
    for row, label in zip(x, y, strict=True):
        by_label[row.astype("float32").tobytes()] = label
    for batch, labels in task.datasets(8).test:
        mask = batch["padding_mask"].numpy().astype(bool)
        tokens = batch["tokens"].numpy()
        assert tokens.shape[:2] == mask.shape
        assert not tokens[~mask].any()
        for row, real, label in zip(tokens, mask, labels, strict=True):
            assert by_label[row[real].tobytes()] == label


def test_a_given_split_is_kept(x, y):
    split = ["train"] * 40 + ["validation"] * 8 + ["test"] * 12
    task = tasks.from_arrays(x, y, split=split, verbose=False)
    np.testing.assert_array_equal(task.data.splits["test"].x, x[48:])
    np.testing.assert_array_equal(task.data.splits["test"].y, y[48:])


def test_it_says_what_it_found(x, y, capsys):
    tasks.from_arrays(x, y, name="mine")
    out = capsys.readouterr().out
    assert "mine: 60 sequences, 7 tokens of width 3 -> 3 classes" in out
    assert "0 33.3%" in out and "values from" in out


def as_tf(x, y):
    return tf.data.Dataset.from_tensor_slices((x, y))


def as_torch(x, y):
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(
        torch.from_numpy(x), torch.from_numpy(y)
    )
    return torch.utils.data.DataLoader(data, batch_size=7)


def as_grain(x, y):
    grain = pytest.importorskip("grain", reason="grain is not installed")
    pairs = list(zip(x, y, strict=True))
    return grain.MapDataset.source(pairs).to_iter_dataset()


class Batches(keras.utils.PyDataset):
    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return 6

    def __getitem__(self, number):
        part = slice(10 * number, 10 * number + 10)
        return self.x[part], self.y[part]


@pytest.mark.parametrize(
    "wrap",
    [
        Batches,
        as_tf,
        lambda x, y: as_tf(x, y).batch(11),
        as_torch,
        as_grain,
        lambda x, y: zip(x, y, strict=True),
    ],
)
def test_any_loader_gives_the_same_task_as_arrays(x, y, wrap):
    task = tasks.from_dataset(wrap(x, y), verbose=False)
    arrays = tasks.from_arrays(x, y, verbose=False)
    assert rows(task) == rows(arrays)
    # The order is that of what the examples hold, whatever the loader's is.
    order = np.random.default_rng(1).permutation(len(x))
    expected = tasks.from_dataset(wrap(x[order], y[order]), verbose=False)
    for split, examples in expected.data.splits.items():
        np.testing.assert_array_equal(task.data.splits[split].x, examples.x)
        assert len(examples.y) == arrays.data.size(split)


def test_a_data_set_of_padded_batches(y):
    generator = np.random.default_rng(0)
    x = [generator.normal(size=(n % 6 + 2, 3)) for n in range(60)]
    lists = tasks.from_arrays(x, y, verbose=False)
    padded = np.stack([np.pad(r, ((0, 7 - len(r)), (0, 0))) for r in x])
    mask = np.stack([np.arange(7) < len(r) for r in x])
    batches = as_tf({"tokens": padded, "padding_mask": mask}, y).batch(9)
    task = tasks.from_dataset(batches, verbose=False)
    assert rows(task) == rows(lists)


def test_string_labels_of_a_tf_dataset(x):
    labels = np.where(x.mean((1, 2)) > 0, "up", "down")
    task = tasks.from_dataset(as_tf(x, labels).batch(8), verbose=False)
    assert task.class_names == ("down", "up")


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (lambda x, y: as_tf(x, y).batch(4).repeat(), "is infinite"),
        (lambda x, y: as_tf(x, y).take(0), "is empty"),
        (lambda x, y: [x], "Element 0 of the data set is not a pair"),
        (lambda x, y: [({"tokens": x}, y)], "has no 'padding_mask'"),
        (lambda x, y: [(x, np.eye(3)[y])], "one-hot labels"),
        (lambda x, y: [(x, y[:5])], "has 60 sequences but 5 labels"),
    ],
)
def test_data_sets_that_cannot_be_used(x, y, dataset, message):
    with pytest.raises(ValueError, match=message):
        tasks.from_dataset(dataset(x, y), verbose=False)


def with_value(x, value):
    x = x.copy()
    x[5, 2, 1] = value
    return x


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: with_value(x, np.nan), "Example 5, token 2: .* nan"),
        (lambda x: with_value(x, np.inf), "Example 5, token 2: .* inf"),
        (lambda x: x[:50], "as many labels as sequences .* 60 and 50"),
        (lambda x: np.zeros((60, 8, 8, 1)), "patches"),
        (lambda x: np.zeros((60, 0, 3)), "at least one token"),
        (lambda x: np.full((60, 4), -1), "the token -1"),
        (
            lambda x: [*x[:59], x[59, :, :2]],
            "one type and width but example 59",
        ),
        (lambda x: np.full((60, 4), "a"), "Example 0 has the type <U1"),
        (lambda x: [], "received none"),
        (lambda x: np.full((60, 4), 2**32 + 3), "the token 4294967299"),
        (lambda x: x.astype("float64") * 1e300, "finite numbers .float32."),
    ],
)
def test_arrays_that_cannot_be_used(x, y, change, message):
    with pytest.raises(ValueError, match=message):
        tasks.from_arrays(change(x), y, verbose=False)


def test_saved_arrays_and_data_sets(x, y, tmp_path):
    np.savez(tmp_path / "mine.npz", x=x, y=y)
    as_tf(x, y).batch(10).save(str(tmp_path / "saved"))
    expected = rows(tasks.from_arrays(x, y, verbose=False))
    for name in ("mine.npz", "saved"):
        task = tasks.get(tmp_path / name, verbose=False)
        assert rows(task) == expected
        new, names = task.reader.read(tmp_path / name)
        np.testing.assert_array_equal(new, x)
        assert names[0] == "example 1" and len(names) == 60


@pytest.mark.parametrize("batch", [False, True])
def test_new_data_sets_are_read_batched_or_not(x, y, tmp_path, batch):
    task = tasks.from_arrays(x, y, verbose=False)
    for number, dataset in enumerate(
        (as_tf(x, y), tf.data.Dataset.from_tensor_slices(x))
    ):
        path = tmp_path / str(number)
        (dataset.batch(7) if batch else dataset).save(str(path))
        np.testing.assert_array_equal(task.reader.read(path)[0], x)


def test_damaged_saved_arrays_are_refused(x, tmp_path):
    np.savez(tmp_path / "no_labels.npz", x=x)
    with pytest.raises(ValueError, match="no_labels.npz` has no array 'y'"):
        tasks.get(tmp_path / "no_labels.npz")
    whole = (tmp_path / "no_labels.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="Cannot read arrays from .*cut.npz"):
        tasks.get(tmp_path / "cut.npz")
    np.savez(tmp_path / "objects.npz", x=np.array([{}], object), y=[0])
    with pytest.raises(ValueError, match="objects.npz"):
        tasks.get(tmp_path / "objects.npz")


@pytest.mark.parametrize("batch_size", [None, 7])
def test_a_saved_data_set_that_is_cut_off_is_refused(tmp_path, batch_size):
    x = np.random.default_rng(0).normal(size=(70, 5, 3)).astype("float32")
    y = (x.sum((1, 2)) > 0).astype("int32")
    dataset = tf.data.Dataset.from_tensor_slices((x, y))
    if batch_size is not None:
        dataset = dataset.batch(batch_size)
    folder = tmp_path / "saved"
    dataset.save(str(folder))
    assert sum(len(y) for _, y, *_ in splits_of(tasks.get(folder))) == 70
    (file,) = folder.rglob("*.snapshot")
    content = file.read_bytes()
    # At the end of a record, and within one.
    for length in (len(content) // 2, len(content) // 2 - 9, 0):
        file.write_bytes(content[:length])
        with pytest.raises(ValueError, match="damaged or not complete"):
            tasks.get(folder)


def splits_of(task):
    return task.data.splits.values()
