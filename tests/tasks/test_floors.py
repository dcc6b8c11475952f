"""Simple rules, and which examples belong together."""

import numpy as np
import pandas as pd
import pytest

from keras_fpt import tasks
from keras_fpt.tasks import listops, listops_trees, remote_homology, tape

pytestmark = pytest.mark.backend_free


def means(task, split="test"):
    return {name: right.mean() for name, right in task.floors(split).items()}


def test_copying_the_shown_bits_recalls_three_of_four():
    floors = means(tasks.get("bit_memory"))
    assert floors["copying the shown bits"] == pytest.approx(0.75, abs=0.001)
    assert floors["majority class"] == pytest.approx(0.5, abs=0.001)


def test_the_majority_class_is_that_of_train(tmp_path):
    """Also where the held-out split has another one."""
    split = ["train"] * 10 + ["test"] * 10
    split[0] = split[7] = "validation"
    frame = pd.DataFrame(
        {"x": range(20), "label": [0] * 7 + [1] * 13, "split": split}
    )
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    task = tasks.get(path, label_column="label", split_column="split")
    assert task.majority_class == 0
    assert means(task) == {"majority class": 0.0}
    assert task.majority_accuracy("test") == 0.0


def test_a_generated_task_does_not_take_it_from_the_scored_split():
    task = tasks.get("bit_xor")
    labels = task.data.labels("test")
    assert task.majority_accuracy("test") == np.mean(
        labels == task.majority_class
    )
    train = next(task.data.train(1000, 0, 0).as_numpy_iterator())[1]
    assert task.majority_class == int(train.mean() > 0.5)


@pytest.fixture
def few_expressions(monkeypatch, tmp_path):
    """ListOps of 2,000 + 200 + 500 generated expressions."""
    monkeypatch.setenv("KERAS_FPT_HOME", str(tmp_path))
    sizes = {"train": 2000, "validation": 200, "test": 500}
    monkeypatch.setattr(listops, "SIZES", sizes)


def firsts(examples):
    return examples.x[:, :1].flat_values.numpy()


def test_answering_listops_by_its_first_operator(few_expressions, caplog):
    task = tasks.get("listops:short")
    train, test = (task.data.splits[name] for name in ("train", "test"))
    best = {}
    for operator in range(10, 14):
        first = firsts(train) == operator
        best[operator] = np.bincount(train.y[first]).argmax()
    answers = [best[operator] for operator in firsts(test)]
    expected = np.mean(answers == test.y)
    found = means(task)
    assert found["first operator"] == pytest.approx(expected)
    assert found["first operator"] > found["majority class"] + 0.05


def test_short_expressions_are_not_cut(few_expressions, messages):
    task = tasks.get("listops:short")
    lengths = task.data.splits["train"].x.row_lengths().numpy()
    assert lengths.max() <= 40 and lengths.min() >= 4
    # Each ends with the bracket of its first operator.
    assert (task.data.splits["train"].x[:, -1:].flat_values == 14).numpy().all()
    assert messages == []


def test_listops_says_how_many_expressions_are_cut(few_expressions, messages):
    task = tasks.get("listops")
    assert "cut to 512 tokens" in task.description
    assert task.data.splits["train"].x.row_lengths().numpy().max() == 512
    (message,) = messages
    assert message.startswith("listops: 98.") and "are cut" in message
    whole = tasks.get("listops:whole")
    assert whole.sequence_length == 2000 and "cut" not in whole.description
    assert whole.data.splits["train"].x.row_lengths().numpy().max() > 512


def test_the_published_distribution_is_the_default():
    limits = listops_trees.LONG_RANGE_ARENA
    first = listops_trees.generate(20, limits=limits)
    assert np.diff(first.offsets).min() > 500
    again = listops_trees.generate(20)
    np.testing.assert_array_equal(first.tokens, again.tokens)


@pytest.mark.parametrize(
    ("options", "groups"),
    [
        # Windows of one recording belong together.
        ({"group_column": "who", "window": 4}, 4),
        # Windows that overlap share rows with their neighbors.
        ({"window": 10, "stride": 5}, 4),
        ({"window": 10}, None),
        ({"group_column": "who"}, None),
    ],
)
def test_which_windows_belong_together(options, groups, tmp_path):
    rows = 400
    who = np.repeat(np.arange(20), 20)
    frame = pd.DataFrame(
        {"who": who, "value": np.arange(rows) % 7, "label": who % 2}
    )
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    task = tasks.get(path, label_column="label", **options)
    found = task.test_groups()
    if groups is None:
        assert found is None
        return
    assert len(found) == task.data.size("test")
    names = [task.data.splits["test"].names[i] for i in task.data.order("test")]
    people = [name.split(",")[0] for name in names]
    if "group_column" in options:
        assert len(set(zip(people, found, strict=True))) == groups
        assert len(set(found)) == groups
    else:
        assert len(set(found)) >= groups and max(np.bincount(found)) == 2


def test_proteins_of_one_superfamily_belong_together():
    records = [
        tape.Protein(str(n), "MKV", fold, "where", superfamily)
        for n, (fold, superfamily) in enumerate([(0, 5), (1, 5), (0, 5)])
    ]
    groups = remote_homology._superfamilies(records)
    assert groups.tolist() == [0, 1, 0]
    unknown = [*records, tape.Protein("3", "MKV", 0, "where")]
    assert remote_homology._superfamilies(unknown) is None


def test_which_token_holds_an_answer():
    (batch,) = tasks.get("bit_memory").held_out("test", 20).take(1)
    x, y = batch[0].numpy(), batch[1].numpy()
    holding = tasks.get("bit_memory").answer_tokens(x)
    found = x[np.arange(20)[:, None], holding].reshape(20, -1) > 0
    np.testing.assert_array_equal(found, y)
    (batch,) = tasks.get("bit_xor").held_out("test", 20).take(1)
    x, y = batch[0].numpy()[..., 0], batch[1].numpy()
    other = tasks.get("bit_xor").answer_tokens(batch[0].numpy())
    bits = np.take_along_axis(x, other, 1)
    np.testing.assert_array_equal(bits != x[:, 5:], y)
