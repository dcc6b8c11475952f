import json

import numpy as np
import pytest
from scipy import stats
from written_runs import write_run

from keras_fpt.results import load_runs, summary
from keras_fpt.runs.recorder import write_history

pytestmark = pytest.mark.backend_free


def test_runs_of_an_arm_are_put_together(tmp_path):
    for seed, accuracy in enumerate((0.8, 0.9, 0.94)):
        write_run(tmp_path / f"fpt{seed}", accuracy, seed=seed)
        write_run(tmp_path / f"random{seed}", 0.5, seed=seed, arm="random")
    write_run(tmp_path / "other", 0.99, test=False, learning_rate=1e-2)
    table = summary.summarize(load_runs(tmp_path))
    arms = [("bit_xor", "fpt", ""), ("bit_xor", "random", "")]
    assert list(table.index) == arms
    row = table.loc["bit_xor", "fpt", ""]
    assert row["n"] == 3 and row["diverged"] == 0
    assert row["test_accuracy"] == pytest.approx(0.78)
    low, high = stats.t.interval(
        0.95, 2, np.mean([0.7, 0.8, 0.84]), stats.sem([0.7, 0.8, 0.84])
    )
    assert 2 * row["test_accuracy_interval"] == pytest.approx(high - low)
    assert row["steps_to_converge"] == "10"


def test_diverged_runs_are_counted(tmp_path):
    write_run(tmp_path / "a", seed=0)
    for seed in (1, 2):
        write_run(tmp_path / str(seed), seed=seed, error="The loss became inf")
    write_run(tmp_path / "b", error="inf", test=False, learning_rate=1.0)
    (row,) = summary.summarize(load_runs(tmp_path)).to_dict("records")
    assert (row["n"], row["diverged"]) == (1, 2)
    assert row["steps_to_converge"] == "> 30"
    # A diverged seed is as good as the majority class.
    assert row["test_accuracy"] == pytest.approx((0.8 + 0.5 + 0.5) / 3)


def test_an_arm_of_which_nothing_is_left(tmp_path):
    write_run(tmp_path / "a", error="The loss became inf")
    write_run(tmp_path / "other", 0.9, arm="random")
    table = summary.summarize(load_runs(tmp_path))
    row = table.loc["bit_xor", "fpt", ""]
    assert (row["n"], row["diverged"]) == (0, 1)
    assert row["test_accuracy"] == 0.5


def test_runs_that_only_searched(tmp_path):
    write_run(tmp_path / "a", test=False)
    with pytest.raises(ValueError, match="None of the runs has read the test"):
        summary.summarize(load_runs(tmp_path))


def test_status_of_runs(tmp_path):
    write_run(tmp_path / "within" / "a")
    write_run(tmp_path / "b", error="inf")
    write_run(tmp_path / "c")
    (tmp_path / "c" / "metrics.json").unlink()
    runs = load_runs(tmp_path)
    found = dict(zip(runs["folder"], runs["status"], strict=True))
    assert found == {
        str(tmp_path / "within" / "a"): "finished",
        str(tmp_path / "b"): "diverged",
        str(tmp_path / "c"): "unfinished",
    }


def test_runs_of_an_arm_with_other_settings_have_a_row_of_their_own(tmp_path):
    write_run(tmp_path / "all", 0.9)
    write_run(tmp_path / "two", 0.8, depth=2)
    probe = {"policy": "output_only", "quantize": "int8"}
    write_run(tmp_path / "probe", 0.7, **probe)
    write_run(tmp_path / "random", 0.6, arm="random", depth=2)
    table = summary.summarize(load_runs(tmp_path))
    assert list(table["test_accuracy"].round(3)) == [0.8, 0.7, 0.6, 0.5]
    assert [key[1:] for key in table.index] == [
        ("fpt", ""),
        ("fpt", "depth 2"),
        ("fpt", "policy output_only, quantize int8"),
        # All runs of this arm have two blocks.
        ("random", ""),
    ]


def test_what_one_learning_rate_for_all_would_have_found(tmp_path):
    for arm, rate, seed, accuracy in (
        ("random", 1e-3, 0, 0.6),
        ("random", 1e-2, 0, 0.8),
        ("random", 1e-2, 1, 0.1),  # a seed that was tried only at the best
        ("fpt", 1e-2, 0, 0.7),
    ):
        folder = tmp_path / f"{arm}{rate}{seed}"
        write_run(folder, accuracy, arm=arm, learning_rate=rate, seed=seed)
    write_run(tmp_path / "lost", arm="fpt", error="inf", learning_rate=1e-3)
    deep = {"learning_rate": 1e-3, "depth": 2}
    write_run(tmp_path / "deep", 0.5, arm="fpt", **deep)
    table = summary.by_learning_rate(load_runs(tmp_path))
    assert list(table) == ["fpt", "fpt, depth 2", "random"]
    assert list(table.index) == [1e-3, 1e-2]
    np.testing.assert_equal(
        table.to_numpy(), [[np.nan, 0.5, 0.6], [0.7, np.nan, 0.8]]
    )


def test_rates_of_a_halving_are_compared_at_the_same_steps(tmp_path):
    for rate, accuracies in ((1e-3, [0.5]), (1e-2, [0.4, 0.9])):
        folder = tmp_path / f"{rate}"
        write_run(folder, accuracies[-1], learning_rate=rate, test=False)
        rows = [
            {
                "step": 10 * (i + 1),
                "validation_accuracy": accuracy,
                "validation_loss": 1 - accuracy,
            }
            for i, accuracy in enumerate(accuracies)
        ]
        write_history(folder, rows)
        metrics = json.loads((folder / "metrics.json").read_text())
        metrics |= {"paused": True, "trained_steps": 10 * len(rows)}
        (folder / "metrics.json").write_text(json.dumps(metrics))
    table = summary.by_learning_rate(load_runs(tmp_path))
    np.testing.assert_equal(table.to_numpy(), [[0.5], [0.4]])


def test_a_folder_without_runs(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no run in"):
        load_runs(tmp_path)
