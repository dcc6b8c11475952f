import numpy as np
import pytest
from scipy import stats
from written_runs import write_run

from keras_fpt.results import Baseline, conclude, load_runs
from keras_fpt.results.conclusion import Candidate, accuracy_gain

pytestmark = pytest.mark.backend_free


def baseline(accuracy, name="gradient_boosting", test_examples=2000):
    return Baseline(
        "bit_xor", name, "", 1.0, accuracy, accuracy - 0.1, 3.0, 100,
        test_examples,
    )  # fmt: skip


def runs(folder, ours=(0.90, 0.91), others=(0.70, 0.71)):
    """Final runs with validation accuracies; test is 0.1 below."""
    for arm, accuracies in (("fpt", ours), ("random", others)):
        for seed, accuracy in enumerate(accuracies):
            run = folder / f"{arm}{seed}"
            write_run(run, accuracy, arm=arm, seed=seed, preset="gpt2_tiny_en")
            (run / "adapter.safetensors").write_bytes(bytes(1_500_000))
    return load_runs(folder)


@pytest.mark.parametrize(
    ("ours", "theirs", "judged"),
    [
        ((0.95, 0.951, 0.952), 0.5, "is worth it"),
        ((0.7, 0.701, 0.702), 0.9, "is not worth it"),
        ((0.90, 0.901, 0.902), 0.9, "is not shown to be worth it"),
        ((0.5, 0.8), 0.55, "is not shown to be worth it"),
    ],
)
def test_what_the_sentence_says(ours, theirs, judged, tmp_path):
    sentence = conclude(runs(tmp_path, ours), [baseline(theirs)])
    assert sentence.startswith(f"A frozen gpt2_tiny_en {judged} on bit_xor")


def test_the_sentence_has_the_cost(tmp_path):
    sentence = conclude(runs(tmp_path), [baseline(0.6), baseline(0.85)])
    assert "80.5% is 5.5 points above that of gradient boosting" in sentence
    assert "at 2 s of training against 3" in sentence
    assert "100 trained parameters and an adapter of 1.50 MB" in sentence


def test_it_is_compared_with_the_best_on_validation(tmp_path):
    found = conclude(runs(tmp_path, others=(0.88, 0.89)), [baseline(0.6)])
    assert "that of random, the best of all others on validation" in found


def test_one_seed_gives_no_interval(tmp_path):
    sentence = conclude(runs(tmp_path, ours=(0.99,)), [baseline(0.6)])
    assert "is not shown to be worth it" in sentence
    assert "no interval can be given from one seed" in sentence


def test_without_the_frozen_model_nothing_is_said(tmp_path):
    table = runs(tmp_path)
    assert conclude(table[table["arm"] == "random"], [baseline(0.6)]) is None


def test_the_interval_covers_the_difference():
    """Accuracies that vary with the seed and with the test examples."""
    generator, covered, size = np.random.default_rng(0), 0, 500
    for _ in range(1000):
        rates = generator.normal(0.8, 0.02, 4)
        ours = generator.binomial(size, rates) / size
        theirs = (generator.binomial(size, 0.7) / size,)
        _, low, high = accuracy_gain(
            Candidate("ours", 0, tuple(ours), True, 0),
            Candidate("theirs", 0, theirs, False, 0),
            size,
        )
        covered += low < 0.1 < high
    assert covered / 1000 > 0.95


def test_the_interval_of_two_that_do_not_vary():
    half = stats.norm.ppf(0.975) * np.sqrt((0.09 + 0.25) / 100)
    found, low, high = accuracy_gain(
        Candidate("ours", 0, (0.9,), False, 0),
        Candidate("theirs", 0, (0.5,), False, 0),
        100,
    )
    assert (found, low, high) == pytest.approx((0.4, 0.4 - half, 0.4 + half))
