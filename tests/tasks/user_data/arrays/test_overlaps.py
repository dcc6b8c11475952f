"""Windows of a series that share rows, and loaders that shuffle."""

import keras
import numpy as np
import pytest

from keras_fpt import tasks
from keras_fpt.tasks.user_data.arrays import overlaps

pytestmark = pytest.mark.backend_free


@pytest.fixture(scope="module")
def walk():
    generator = np.random.default_rng(0)
    values = generator.normal(size=(2000, 2)).cumsum(0).astype("float32")
    return values, np.repeat(generator.integers(0, 2, 20), 100)


def windows(values, labels, stride=5, length=50, **options):
    return keras.utils.timeseries_dataset_from_array(
        values, labels, length, sequence_stride=stride, **options
    )


def shared(task, first="train", second="test"):
    """The share of rows of one split that are in another, by a set."""
    parts = [task.data.splits[name].x for name in (first, second)]
    seen = {tuple(row) for window in parts[0] for row in window}
    return np.mean([tuple(row) in seen for w in parts[1] for row in w])


@pytest.mark.parametrize("shuffle", [False, True])
def test_windows_that_share_rows_are_split_in_blocks(walk, shuffle, capsys):
    dataset = windows(*walk, shuffle=shuffle, seed=3)
    task = tasks.from_dataset(dataset)
    assert shared(task) == shared(task, "train", "validation") == 0
    assert shared(task, "validation", "test") == 0
    (finding,) = task.findings
    assert finding.kind == "shared-rows" and not finding.is_leak
    out = capsys.readouterr().out
    # 391 windows of 50 rows, and 9 before each border share rows with it.
    assert "391 of 391 examples" in out and "share 45 of their 50" in out
    assert "18 windows dropped" in out
    assert sum(len(part.y) for part in task.data.splits.values()) == 391 - 18


def test_the_stratified_split_is_there_on_request(walk):
    task = tasks.from_dataset(windows(*walk), split="stratified")
    assert shared(task) > 0.9
    assert task.findings[0].is_leak
    with pytest.raises(ValueError, match="strict audit found 1 leak"):
        tasks.from_dataset(windows(*walk), split="stratified", strict=True)
    with pytest.raises(ValueError, match="Expected split to be 'stratified'"):
        tasks.from_dataset(windows(*walk), split="random")


def test_a_given_split_is_kept_and_a_leak_found(walk):
    names = np.array(["train", "test"])[np.arange(391) % 2]
    task = tasks.from_dataset(windows(*walk), split=names)
    assert task.findings[0].is_leak
    names = np.repeat(["train", "validation", "test"], [291, 50, 50])
    names = [n for n in names]
    task = tasks.from_dataset(windows(*walk), split=names)
    assert len(task.data.splits["test"].y) == 50
    assert not any(finding.is_leak for finding in task.findings)


def test_each_class_is_split_by_time_if_it_comes_once(walk):
    values, _ = walk
    dataset = windows(values, np.repeat(np.arange(4), 500))
    task = tasks.from_dataset(dataset)
    assert shared(task) == 0
    for split in ("train", "validation", "test"):
        assert set(task.data.splits[split].y) == {0, 1, 2, 3}


def test_too_few_windows_for_blocks_are_a_leak(walk):
    values, labels = walk
    task = tasks.from_dataset(windows(values[:190], np.arange(190) // 40 % 2))
    assert task.findings[0].is_leak


def test_several_series_and_saved_arrays(walk, tmp_path):
    values, labels = walk
    parts = [
        (values[start : start + 40], labels[start])
        for first in (0, 1000)
        for start in range(first, first + 900, 10)
    ]
    x, y = (np.array(part) for part in zip(*parts, strict=True))
    np.savez(tmp_path / "mine.npz", x=x, y=y)
    task = tasks.get(tmp_path / "mine.npz")
    assert shared(task) == 0
    assert task.findings[0].kind == "shared-rows"


def test_examples_that_share_nothing_are_split_as_before(walk):
    values, labels = walk
    x = values.reshape(80, 25, 2)
    generator = np.random.default_rng(0)
    y = generator.integers(0, 2, 80)
    constant = np.zeros((80, 25, 2), "float32")
    constant[:, 3] = generator.normal(size=(80, 2))
    bits = generator.integers(0, 2, (80, 25))
    for examples in (x, constant, bits, np.repeat(x, 2, 0)[:80]):
        task = tasks.from_arrays(examples, y, verbose=False)
        kinds = {finding.kind for finding in task.findings}
        assert not kinds & {overlaps.KIND, overlaps.LEAK}
        assert [len(p.y) for p in task.data.splits.values()] == [58, 6, 16]


def test_a_loader_that_shuffles_gives_the_same_split():
    torch = pytest.importorskip("torch")
    generator = np.random.default_rng(0)
    x = torch.tensor(generator.normal(size=(200, 10, 2)).astype("float32"))
    data = torch.utils.data.TensorDataset(x, torch.arange(200) % 2)
    tests = [
        tasks.from_dataset(
            torch.utils.data.DataLoader(data, batch_size=16, shuffle=True),
            verbose=False,
        ).data.splits["test"]
        for _ in range(2)
    ]
    np.testing.assert_array_equal(tests[0].x, tests[1].x)
    np.testing.assert_array_equal(tests[0].y, tests[1].y)
