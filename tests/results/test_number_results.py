"""Tables, verdicts and conclusions of runs that predict numbers."""

import dataclasses
import json

import numpy as np
import pytest
from scipy import stats
from written_runs import write_numbers

from keras_fpt.results import (
    Baseline,
    arm_results,
    arm_verdicts,
    arms_table,
    claims,
    conclude,
    join_baselines,
    load_runs,
    rising,
    summarize,
)
from keras_fpt.results.statistics import Scores, difference
from keras_fpt.runs import measures

pytestmark = pytest.mark.backend_free
COUNT = 400


def squares(size, seed):
    """Negative squared errors of a given mean."""
    errors = np.random.default_rng(seed).exponential(size=COUNT)
    return -errors / errors.mean() * size**2


def rival(rmse, scores=None, name="ridge"):
    errors = {
        f"{split}_{metric}": value
        for split in ("train", "validation", "test")
        for metric, value in (("rmse", rmse), ("mae", 1.0), ("r2", 0.5))
    }
    numbers = (None, None, None, 3.0, 1000, COUNT)
    return Baseline("prices", name, "", *numbers, scores, errors=errors)


@pytest.fixture
def runs(tmp_path):
    """`fpt` has an RMSE of 2, and `random` one of 3; the mean one of 4.5."""
    rules = {"mean of train": squares(4.5, 9), "median of train": squares(5, 8)}
    for arm, size in (("fpt", 2.0), ("random", 3.0)):
        for seed in range(3):
            folder = tmp_path / f"{arm}{seed}"
            write_numbers(
                folder, size + 0.01 * seed, squares(size, seed), rules,
                arm=arm, seed=seed, preset="gpt2_tiny_en",
            )  # fmt: skip
            (folder / "adapter.safetensors").write_bytes(bytes(1000))
    return load_runs(tmp_path)


def test_the_table_has_errors(runs):
    table = arms_table.with_floors(summarize(runs), runs)
    assert list(table["test_rmse"]) == pytest.approx([2, 3, 4.5, 5])
    assert table["validation_rmse"].iloc[0] == pytest.approx(2.01)
    assert list(table["test_r2"])[:2] == [0.75, 0.75]
    assert list(table["learned"])[:2] == [True, True]
    assert not any("accuracy" in name for name in table)
    # 90% of the way from 4.5 to 2.06 is 2.3.
    assert table["steps_to_converge"].iloc[0] == "10"
    assert table["steps_to_converge"].iloc[1].startswith(">")


def test_lower_is_better(runs):
    (sentence,) = arm_verdicts(runs, ("fpt", "random"))
    assert sentence.startswith("fpt has a lower RMSE than random by 1 (95%")
    (sentence,) = arm_verdicts(runs, ("random", "fpt"))
    assert sentence.startswith("random has a higher RMSE than fpt by 1 (95%")
    (claim,) = claims(runs)
    assert claim.status == "holds"
    assert claim.difference.gain == pytest.approx(1.0)
    assert 0 < claim.difference.low < 1 < claim.difference.high


def test_the_best_rate_is_that_of_the_lowest_error(runs, tmp_path):
    for rate, rmse in ((1e-4, 1.9), (1e-2, 2.2)):
        folder = tmp_path / f"rate{rate}"
        write_numbers(folder, rmse, arm="fpt", seed=0, learning_rate=rate)
        metrics = json.loads((folder / "metrics.json").read_text())
        kept = {k: v for k, v in metrics.items() if k != "test_rmse"}
        (folder / "metrics.json").write_text(json.dumps(kept))
    found = {each.arm: each for each in arm_results(load_runs(tmp_path))}
    assert found["fpt"].edge == "" and found["random"].edge is None
    # A run that diverged is the worst, and its test is that of the mean.
    folder = tmp_path / "fpt2"
    (folder / "metrics.json").unlink()
    (folder / "diverged.json").write_text('{"error": "", "final": true}')
    found = {each.arm: each for each in arm_results(load_runs(tmp_path))}
    assert found["fpt"].validation_score == -np.inf
    np.testing.assert_allclose(found["fpt"].scores.seeds, [-4, -4, -(4.5**2)])


@pytest.mark.parametrize(
    ("rmse", "judged"),
    [
        (3.5, "is worth it on prices: its test RMSE of 2 is 1.5 below"),
        (1.5, "is not worth it on prices: its test RMSE of 2 is 0.5 above"),
    ],
)
def test_what_the_sentence_says(runs, rmse, judged):
    only = runs[runs["arm"] == "fpt"]
    sentence = conclude(only, [rival(rmse, squares(rmse, 4))])
    assert sentence.startswith(f"A frozen gpt2_tiny_en {judged} that of ridge")
    assert "95% interval of the reduction" in sentence


def test_a_difference_is_that_of_the_squared_errors():
    ours, theirs = squares(2, 0), squares(3, 1)
    first, second = (
        Scores(x[None].mean(1), x[None], None, COUNT, False, measures.RMSE)
        for x in (ours, theirs)
    )
    found = difference(first, second)
    assert found.gain == pytest.approx(1.0)
    test = stats.ttest_rel(ours, theirs)
    assert found.p_value == pytest.approx(test.pvalue, rel=1e-6)
    interval = np.array(test.confidence_interval()) / (2 + 3)
    assert [found.low, found.high] == pytest.approx(interval.tolist())
    # Errors that were not kept have no bound, so that nothing can be said.
    unknown = dataclasses.replace(second, examples=None)
    assert np.isnan(difference(first, unknown).low)


def test_folds_are_joined_by_their_squared_errors():
    parts = [rival(3.0), dataclasses.replace(rival(5.0), test_examples=0)]
    (joined,) = join_baselines([[part] for part in parts])
    assert joined.errors["test_rmse"] == pytest.approx(3.0)
    assert joined.errors["train_rmse"] == pytest.approx(np.sqrt(17))
    assert joined.errors["test_mae"] == 1.0


def test_a_curve_that_still_falls():
    rows = [
        {"validation_rmse": 10.0 - step, "validation_loss": -step}
        for step in range(8)
    ]
    # From 5.5 to 3.5.
    assert rising.gain([rows], measures.RMSE) == pytest.approx(2 / 5.5)
    assert rising.gain([rows[::-1]], measures.RMSE) == 0
