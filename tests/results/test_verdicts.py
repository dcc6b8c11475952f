import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from written_runs import write_run

from keras_fpt.results import load_runs, verdicts
from keras_fpt.results.arm_results import ArmResult, Floor
from keras_fpt.results.statistics import Scores

pytestmark = pytest.mark.backend_free


def result(arm, accuracies, edge="", floor=None, rate=1e-3):
    if floor is not None:
        floor = Floor("copying", Scores(np.array([floor]), varies=False), 0)
    return ArmResult(
        arm, "", 100, None, rate, 0.9, Scores(np.array(accuracies)), edge,
        floor, None,
    )  # fmt: skip


def judge(ours, *others):
    return verdicts.judge([("task", "claim", ours, other) for other in others])


OURS = [0.90, 0.91, 0.92]


@pytest.mark.parametrize(
    ("theirs", "status", "words"),
    [
        ([0.80, 0.81, 0.82], "holds", "fpt is above other by 10.0 points (95%"),
        ([0.97, 0.98, 0.99], "does not hold", "fpt is below other by 7.0 "),
        ([0.7, 0.99, 0.9], "cannot be told", "cannot be told at this budget"),
        ([0.5], "cannot be told", "no interval can be given"),
    ],
)
def test_verdicts_say_what_the_numbers_support(theirs, status, words):
    (claim,) = judge(result("fpt", OURS), result("other", theirs))
    assert claim.status == status
    assert words in claim.evidence


def test_claims_of_one_page_are_corrected_for_their_number():
    ours, theirs = result("fpt", OURS), result("other", [0.82, 0.86, 0.85])
    (alone,) = judge(ours, theirs)
    none = [result(f"none{i}", [0.7, 0.99, 0.9]) for i in range(4)]
    together = judge(ours, theirs, *none)[0]
    assert together.difference == alone.difference
    assert alone.adjusted_p_value == alone.difference.p_value
    assert together.adjusted_p_value == pytest.approx(
        5 * alone.adjusted_p_value
    )
    assert alone.status == "holds"
    assert together.status == "cannot be told"
    assert "adjusted for 5 claims" in together.evidence


@pytest.mark.parametrize("at_edge", ["fpt", "other"])
def test_a_rate_at_the_edge_leaves_the_verdict_open(at_edge):
    arms = [
        result(
            name, accuracies, "highest" if name == at_edge else "", rate=0.01
        )
        for name, accuracies in (("fpt", OURS), ("other", [0.5, 0.51, 0.52]))
    ]
    (claim,) = judge(*arms)
    assert claim.status == "cannot be told: best rate at the edge"
    assert f"that of {at_edge}, 0.01, is the highest of those" in claim.evidence
    assert "difference is 40.0 points" in claim.evidence


def test_nothing_is_said_below_a_simple_rule():
    arms = result("fpt", OURS, floor=0.95), result("other", [0.5, 0.51, 0.52])
    (claim,) = judge(*arms)
    assert claim.status == "cannot be told"
    assert "the rule 'copying' reaches 95.0%" in claim.evidence


def test_arms_of_other_steps_are_not_compared(tmp_path):
    for seed in range(3):
        for arm, accuracy, steps in (("fpt", 0.9, 30), ("random", 0.8, 60)):
            folder = tmp_path / f"{arm}{seed}"
            write_run(
                folder, accuracy + seed / 100, arm=arm, seed=seed, steps=steps
            )
    (claim,) = verdicts.claims(load_runs(tmp_path))
    assert claim.status == "cannot be told" and np.isnan(claim.difference.gain)
    assert "fpt had 30 steps" in claim.evidence
    assert "random 60" in claim.evidence
    assert "not comparable" in claim.evidence


def test_claims_of_all_tasks_are_corrected_together(tmp_path):
    for task in ("bit_xor", "digits"):
        for arm, accuracy in (("fpt", 0.9), ("random", 0.8)):
            for seed in range(3):
                folder = tmp_path / f"{task}{arm}{seed}"
                shown = accuracy + seed / 100
                write_run(folder, shown, arm=arm, seed=seed, task=task)
    found = verdicts.claims(load_runs(tmp_path))
    assert [claim.task for claim in found] == ["bit_xor", "digits"]
    assert all("adjusted for 2 claims" in claim.evidence for claim in found)


accuracies = st.lists(st.floats(0, 1), min_size=2, max_size=5)


@given(accuracies, accuracies)
def test_swapping_arms_mirrors_the_verdict(ours, theirs):
    there = judge(result("a", ours), result("b", theirs))[0]
    back = judge(result("b", theirs), result("a", ours))[0]
    opposite = {"holds": "does not hold", "does not hold": "holds"}
    assert back.status == opposite.get(there.status, there.status)


@given(accuracies, accuracies, st.floats(0, 1))
def test_an_arm_that_never_varies_changes_no_other_difference(
    ours, theirs, constant
):
    first = judge(result("a", ours), result("b", theirs))[0]
    constant = result("c", [constant] * 3)
    again = judge(result("a", ours), result("b", theirs), constant)[0]
    assert again.difference.p_value == first.difference.p_value or np.isnan(
        first.difference.p_value
    )
    # The correction may only make a claim more careful.
    assert again.status in (first.status, "cannot be told")
