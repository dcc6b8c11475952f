import dataclasses
import pathlib

import numpy as np
import pytest
from written_runs import write_run

from keras_fpt.results import Baseline, conclude, load_runs, rising
from keras_fpt.runs import recorder
from keras_fpt.runs.test_examples import ExampleScores

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
    # Two runs of 2 s each.
    assert "Its whole search took 4 s (one training 2 s), with 100" in sentence
    assert "an adapter of 1.50 MB; that of gradient boosting took 3 s" in (
        sentence
    )


def test_it_is_compared_with_the_best_on_validation(tmp_path):
    found = conclude(runs(tmp_path, others=(0.88, 0.89)), [baseline(0.6)])
    assert "that of random, the best of all others on validation" in found


def test_it_is_worth_it_only_if_no_other_may_be_as_good(tmp_path):
    """A small validation split may choose a rival that is worse on test."""
    lucky = dataclasses.replace(baseline(0.9), test_accuracy=0.5)
    table = runs(tmp_path, ours=(0.9, 0.9, 0.9))
    assert "is worth it on bit_xor" in conclude(table, [lucky])
    good = [
        dataclasses.replace(baseline(0.85, name), test_accuracy=accuracy)
        for name, accuracy in (
            ("minirocket", 0.84),
            ("logistic_regression", 0.80),
            ("nearest_neighbor", 0.79),
            ("ridge", 0.795),
            ("n_grams", 0.6),
        )
    ]
    sentence = conclude(table, [lucky, *good])
    assert "is not shown to be worth it on bit_xor" in sentence
    assert "30.0 points above that of gradient boosting" in sentence
    assert (
        ", but is not shown to be better than minirocket (84.0%), logistic "
        "regression (80.0%), ridge (79.5%), 1 more. Its" in sentence
    )


def test_one_seed_gives_no_interval(tmp_path):
    sentence = conclude(runs(tmp_path, ours=(0.99,)), [baseline(0.6)])
    assert "is not shown to be worth it" in sentence
    assert "no interval can be given from one seed" in sentence


def test_a_rival_of_one_seed_may_be_as_good(tmp_path):
    table = runs(tmp_path, ours=(0.95, 0.951, 0.952), others=(0.949,))
    sentence = conclude(table, [baseline(0.96)])
    assert "is not shown to be worth it" in sentence
    assert "not shown to be better than random (84.9%)" in conclude(
        table, [dataclasses.replace(baseline(0.96), test_accuracy=0.5)]
    )


@pytest.mark.parametrize(
    ("accuracy", "is_said"), [(0.99, False), (0.615, True)]
)
def test_one_seed_has_learned_if_its_model_has(accuracy, is_said, tmp_path):
    rule = baseline(0.6, "majority_class", test_examples=500)
    table = runs(tmp_path, ours=(accuracy,))
    sentence = conclude(table, [rule, baseline(0.7)])
    assert ("It is not shown to have learned" in sentence) == is_said


def test_without_the_frozen_model_nothing_is_said(tmp_path):
    table = runs(tmp_path)
    assert conclude(table[table["arm"] == "random"], [baseline(0.6)]) is None


def test_a_rate_at_the_edge_is_not_judged(tmp_path):
    table = runs(tmp_path, ours=(0.9, 0.91, 0.92))
    write_run(
        tmp_path / "low", 0.5, test=False, arm="fpt", seed=0,
        learning_rate=1e-4, preset="gpt2_tiny_en",
    )  # fmt: skip
    assert "is worth it on bit_xor" in conclude(table, [baseline(0.6)])
    sentence = conclude(load_runs(tmp_path), [baseline(0.6)])
    assert "cannot be judged yet on bit_xor" in sentence
    assert "rate of fpt, 0.001, is the highest of those tried" in sentence


def test_models_are_compared_by_test_example(tmp_path):
    """Both are right on the same examples, but for one in a hundred."""
    right = np.zeros(1000)
    right[:800] = 1
    table = runs(tmp_path, ours=(0.91, 0.91, 0.91))
    examples = right.copy()
    examples[800:810] = 1
    for folder in table[table["arm"] == "fpt"]["folder"]:
        ExampleScores(examples, {"majority class": 0 * right}).write(folder)
    rival = dataclasses.replace(baseline(0.9), right=right, test_examples=1000)
    assert "is worth it on bit_xor" in conclude(table, [rival])
    unpaired = dataclasses.replace(rival, right=None)
    assert "is not shown to be worth it" in conclude(table, [unpaired])


def test_the_frozen_model_is_the_best_of_its_forms(tmp_path):
    rivals = [baseline(0.6), baseline(0.97, "linear_probe")]
    sentence = conclude(runs(tmp_path, ours=(0.9, 0.9, 0.9)), rivals)
    assert "is worth it on bit_xor: as linear probe, its best form" in sentence
    assert "accuracy of 87.0% is 26.5 points above that of random" in sentence
    assert "Its whole search took 3 s; that of random took 4 s" in sentence
    rivals = [baseline(0.6), baseline(0.8, "linear_probe")]
    sentence = conclude(runs(tmp_path / "b", ours=(0.9, 0.9, 0.9)), rivals)
    assert "bit_xor: as fpt, its best form, its test accuracy of" in sentence


def test_of_equal_candidates_the_simplest_is_chosen(tmp_path):
    """Small validation splits often cannot choose between several."""
    equal = float(np.float32(26 / 27))
    table = runs(tmp_path, ours=(equal, equal), others=(equal, equal))
    probe, steps, trees = (
        baseline(26 / 27, name)
        for name in (
            "linear_probe",
            "linear_probe_of_steps",
            "gradient_boosting",
        )
    )
    sentence = conclude(table, [trees, probe])
    assert "as linear probe, its best form" in sentence
    assert "that of gradient boosting, the best of all others" in sentence
    for probes in ([probe, steps], [steps, probe]):
        sentence = conclude(table, [trees, *probes])
        assert "as linear probe of steps, its best form" in sentence


def test_without_runs_the_probe_is_compared():
    rivals = [baseline(0.5, "majority"), baseline(0.9, "linear_probe")]
    sentence = conclude(None, rivals)
    assert sentence.startswith("A frozen model is worth it on bit_xor: its")
    assert conclude(None, rivals[:1]) is None


def test_what_has_fewer_training_examples_is_another_comparison(tmp_path):
    table = runs(tmp_path, ours=(0.95, 0.951, 0.952))
    write_run(
        tmp_path / "few", 0.99, arm="random", preset="gpt2_tiny_en",
        train_examples=10,
    )  # fmt: skip
    few = dataclasses.replace(baseline(0.98), size=10)
    sentence = conclude(load_runs(tmp_path), [baseline(0.5), few])
    assert sentence == conclude(table, [baseline(0.5)])


def test_a_curve_that_still_rises_is_named(tmp_path):
    table = runs(tmp_path, ours=(0.9, 0.9, 0.9))
    assert "still rising" not in conclude(table, [baseline(0.6)])
    for folder in table[table["arm"] == "fpt"]["folder"]:
        rows = [
            {
                "step": 10 * i,
                "validation_accuracy": 0.1 * i,
                "validation_loss": 1 - 0.1 * i,
            }
            for i in range(1, 9)
        ]
        recorder.write_history(pathlib.Path(folder), rows)
    sentence = conclude(table, [baseline(0.6)])
    # 0.7 and 0.8 after 0.5 and 0.6.
    assert "of fpt was still rising by 20.0 points" in sentence
    assert "(--steps 60 --budget 1m, in a new folder)" in sentence


def test_noise_is_no_rise():
    rows = [
        {"validation_accuracy": accuracy, "validation_loss": loss}
        for accuracy, loss in ((0.5, 1.0), (0.6, 1.1), (0.7, 1.2), (0.8, 1.3))
        for _ in range(2)
    ]
    assert rising.gain([rows]) == 0
    falling = [
        {**row, "validation_loss": -row["validation_loss"]} for row in rows
    ]
    assert rising.gain([falling]) == pytest.approx(0.1)
    assert rising.gain([falling[1:]]) == 0
