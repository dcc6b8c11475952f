import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from keras_fpt import tasks
from keras_fpt.results import baselines
from keras_fpt.studies import rivals
from keras_fpt.studies.deadline import Deadline

pytestmark = pytest.mark.backend_free


@pytest.fixture(scope="module")
def sums():
    """Whether a sequence's numbers add up to more than 0."""
    x = np.random.default_rng(0).normal(size=(400, 4, 3)).astype("float32")
    y = (x.sum((1, 2)) > 0).astype("int32")
    return tasks.from_arrays(x, y, verbose=False)


def test_a_linear_rule_is_found_by_logistic_regression(sums):
    found, not_run = rivals.fit_all(sums, Deadline(), 60.0)
    assert not not_run
    regression, boosting = found
    assert regression.name == "logistic_regression"
    assert regression.validation_accuracy > 0.9
    assert regression.test_accuracy > 0.9 > boosting.test_accuracy
    assert regression.train_examples + regression.test_examples < 400
    # The same by hand, at the setting that was chosen.
    data = rivals.flattened(sums)
    strength = float(regression.settings.removeprefix("C "))
    scaler = StandardScaler().fit(data["train"][0])
    model = LogisticRegression(C=strength, max_iter=200)
    model.fit(scaler.transform(data["train"][0]), data["train"][1].ravel())
    accuracy = model.score(
        scaler.transform(data["test"][0]), data["test"][1].ravel()
    )
    assert regression.test_accuracy == accuracy


def test_the_majority(sums):
    found = rivals.majority(sums)
    labels = sums.data.labels("test")
    most_common = np.bincount(sums.data.labels("train")).argmax()
    assert found.test_accuracy == np.mean(labels == most_common)
    assert found.test_examples == len(labels)


def test_tokens_are_flattened_with_their_padding():
    """Sequences of 1 to 3 tokens, whose first token is the answer."""
    generator = np.random.default_rng(0)
    sequences = [
        np.r_[i % 2, generator.integers(0, 2, i % 3)] for i in range(300)
    ]
    task = tasks.from_strings(
        ["".join("ab"[token] for token in tokens) for tokens in sequences],
        ["ab"[tokens[0]] for tokens in sequences],
        verbose=False,
    )
    x, y = rivals.flattened(task)["train"]
    assert x.shape[1] == 3 and y.shape == (len(x), 1)
    padding = task.vocabulary_size
    lengths = (x != padding).sum(1)
    assert set(lengths) == {1, 2, 3}
    assert all(
        (row[n:] == padding).all() for row, n in zip(x, lengths, strict=True)
    )
    found, not_run = rivals.fit_all(task, Deadline(), 60.0)
    assert [b.test_accuracy for b in found] == [1, 1] and not not_run


def test_several_answers_have_a_model_each():
    found, not_run = rivals.fit_all(tasks.get("bit_xor"), Deadline(), 60.0)
    regression, boosting = found
    # XOR is not linear in the bits, but depends on only two of them.
    assert regression.test_accuracy < 0.6 and boosting.test_accuracy == 1
    assert regression.test_examples == 2000 and not not_run


def test_too_many_answers_are_not_fitted():
    found, not_run = rivals.fit_all(tasks.get("bit_memory"), Deadline(), 60.0)
    assert not found and len(not_run) == 2
    assert (
        "one model for each of an example's 1,000 answers" in not_run[0].reason
    )


def test_without_time_nothing_is_fitted(sums):
    found, not_run = rivals.fit_all(sums, Deadline(0), 60.0)
    assert not found
    assert [entry.what for entry in not_run] == list(baselines.DESCRIPTIONS)[1:]
    assert "Give a larger budget" in not_run[0].reason


def test_no_more_than_so_many_numbers_are_used(sums, monkeypatch):
    monkeypatch.setattr(rivals, "MAX_VALUES", 50 * 12)
    x, y = rivals.flattened(sums)["train"]
    assert x.shape == (50, 12) and y.shape == (50, 1)


def test_they_are_kept_beside_the_runs(sums, tmp_path):
    (tmp_path / "within").mkdir()
    found = [rivals.majority(sums)]
    baselines.write(found, tmp_path / "within")
    assert baselines.read(tmp_path) == found
    (tmp_path / "within" / baselines.FILE).write_text('{"entries": [{}]}')
    with pytest.raises(ValueError, match="baselines.json.*'task'"):
        baselines.read(tmp_path)
