"""Successive halving of learning rates; no run is trained here."""

import dataclasses
import json

import pytest

from keras_fpt import tasks
from keras_fpt.runs import RunConfig, folder, folder_of
from keras_fpt.runs.recorder import write_history
from keras_fpt.studies import (
    halving,
    plan_dropout,
    plans,
    saved_plans,
    variant_search,
)
from keras_fpt.studies.cost import Cost, StackCost
from keras_fpt.studies.deadline import Deadline, OutOfTime

pytestmark = pytest.mark.backend_free
ARMS = ("fpt", "random")
PLAN = saved_plans.HalvingPlan(
    learning_rates=(3e-3, 1e-3, 1e-2),
    rungs=(10, 30),
    steps=90,
    seeds=2,
    batch_size=64,
    evaluation_batch_size=64,
    evaluation_steps=10,
    limit=1000,
)
TASK = tasks.get("digits")
COST = Cost(start=1.0, step=0.1, batch=0.001)
# The step at which a learning rate is the best of all, by arm.
BEST = {"fpt": {3e-3: 10, 1e-3: 30}, "random": {3e-3: 10}}


def accuracy(arm, rate, step):
    """Of rates that are good early, or late."""
    place = {3e-2: 0, 1e-2: 1, 3e-3: 2, 1e-3: 3, 3e-4: 4, 1e-4: 5}[rate]
    if arm == "fpt" and step > 10:
        return 0.9 - 0.1 * abs(place - 3)
    return 0.8 - 0.1 * abs(place - 2)


class Trained(list):
    """What is asked for, in order: arm, rate, seed, last step, test."""

    late = None


@pytest.fixture
def runs(monkeypatch):
    """Writes what trained runs would leave, without training them."""
    asked = Trained()

    def get_or_train(config, runs_folder, test, until):
        asked.append(
            (config.arm, config.learning_rate, config.seed, until, test)
        )
        if asked.late == len(asked):
            raise OutOfTime
        path = folder_of(config, runs_folder)
        path.mkdir(parents=True, exist_ok=True)
        rows = [
            {
                "step": step,
                "validation_accuracy": accuracy(
                    config.arm, config.learning_rate, step
                ),
                "validation_loss": 1 / step,
            }
            for step in range(10, until + 1, 10)
        ]
        write_history(path, rows)
        metrics = {**rows[-1], "paused": True, "trained_steps": until}
        if test:
            metrics["test_accuracy"] = 0.5
        (path / "metrics.json").write_text(json.dumps(metrics))
        return path, metrics

    monkeypatch.setattr(variant_search, "get_or_train", get_or_train)
    return asked


def run(tmp_path, plan=PLAN, seconds=100.0, saved=None, arms=ARMS, each=COST):
    variants = [
        plans.prepare(RunConfig("digits", arm=arm), plan) for arm in arms
    ]
    saved = [] if saved is None else saved
    return halving.run_plan(
        variants,
        plan,
        tmp_path,
        Deadline(seconds),
        [each] * len(variants),
        TASK,
        saved.append,
    )


def test_each_arm_has_the_same_search(runs, tmp_path):
    saved = []
    assert run(tmp_path, saved=saved) == []
    search = [each[:4] for each in runs if not each[4]]
    assert search == [
        ("fpt", 3e-3, 0, 10),
        ("random", 3e-3, 0, 10),
        ("fpt", 1e-3, 0, 10),
        ("random", 1e-3, 0, 10),
        ("fpt", 1e-2, 0, 10),
        ("random", 1e-2, 0, 10),
        # The best two of each, then the best of those.
        ("fpt", 3e-3, 0, 30),
        ("random", 3e-3, 0, 30),
        ("fpt", 1e-3, 0, 30),
        ("random", 1e-3, 0, 30),
        # That of fpt is the lowest, so all try one below.
        ("fpt", 3e-4, 0, 30),
        ("random", 3e-4, 0, 30),
    ]
    final = [each for each in runs if each[4]]
    assert [each[:3] for each in final] == [
        ("fpt", 1e-3, 1),
        ("random", 3e-3, 1),
        ("fpt", 1e-3, 2),
        ("random", 3e-3, 2),
    ]
    # All have as many steps as fit, more than the search.
    (steps,) = {each[3] for each in final}
    assert steps % 10 == 0 and 100 < steps < 4 / 0.1 * 25
    assert saved[-1].steps == steps and 3e-4 in saved[-1].learning_rates


def test_more_time_trains_on_what_is_there(runs, tmp_path):
    saved = []
    run(tmp_path, saved=saved)
    before, first = len(runs), saved[-1]
    larger = plans.enlarge(first, [COST] * 2, TASK, 300.0)
    assert larger.steps > 2 * first.steps and larger.rungs[0] > 10
    run(tmp_path, larger, 400.0, saved)
    again = runs[before:]
    # No run is asked for at steps that it has had, or from the beginning.
    reached = {each[:3]: each[3] for each in runs[:before]}
    assert all(
        each[3] > reached.get(each[:3], 0) for each in again if not each[4]
    )
    assert {each[:3] for each in again} <= reached.keys()
    assert saved[-1].steps > first.steps


def test_the_dropout_of_the_first_budget_is_kept_which_is_said():
    many = TASK.data.size("train")
    plan = dataclasses.replace(PLAN, steps=10 * many // 64, limit=10**6)
    chosen = plan_dropout.chosen(plan, TASK)
    assert chosen.dropout == 0.0
    assert "at most 10 times" in plan_dropout.note(chosen, TASK)
    larger = plans.enlarge(chosen, [COST] * 2, TASK, 1e5)
    assert larger.dropout == 0.0 and larger.steps > plan.steps
    assert "the first budget" in plan_dropout.note(larger, TASK)
    # What begins with as many steps has the recipe's, of which nothing is said.
    begun = dataclasses.replace(larger, dropout=None)
    assert plan_dropout.chosen(begun, TASK).dropout is None
    assert plan_dropout.note(begun, TASK) == ""


def test_a_rate_that_is_no_longer_the_best_is_not_tested(
    runs, tmp_path, monkeypatch
):
    # At first all is decided by 10 steps.
    monkeypatch.setattr(variant_search, "MAX_EXTENSIONS", 0)
    short = dataclasses.replace(PLAN, rungs=(10,), steps=30)
    run(tmp_path, short, 12.0)
    assert {each[1] for each in runs if each[4]} == {3e-3}
    run(tmp_path)
    tested = [
        path
        for path in tmp_path.glob("*/metrics.json")
        if "test_accuracy" in path.read_text()
    ]
    assert sorted(path.parent.name[:10] for path in tested) == [
        "fpt-0.001-", "fpt-0.001-", "random-0.0", "random-0.0"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("late", "chosen"),
    [
        # Of rates that only one arm has tried, none is chosen.
        (1, {"fpt": 3e-3, "random": 3e-3}),
        (4, {"fpt": 3e-3, "random": 3e-3}),
        # What all have reached at the first rung decides.
        (9, {"fpt": 3e-3, "random": 3e-3}),
        (11, {"fpt": 1e-3, "random": 3e-3}),
    ],
)
def test_out_of_time_all_are_chosen_by_the_same_steps(
    runs, tmp_path, late, chosen
):
    runs.late = late
    assert run(tmp_path) == []
    assert {each[0]: each[1] for each in runs if each[4]} == chosen


def test_out_of_time_what_was_not_tested_is_named(runs, tmp_path):
    runs.late = 13
    (missing,) = run(tmp_path)
    assert (missing.what, missing.reason) == ("fpt", variant_search.TOO_SHORT)


def test_results_of_fewer_steps_are_said(runs, tmp_path):
    run(tmp_path, seconds=60.0)
    runs.late = len(runs) + 1 + sum(not each[4] for each in runs)
    larger = dataclasses.replace(PLAN, steps=1000, rungs=(10, 30))
    missing = run(tmp_path, larger, 500.0)
    runs.late = None
    assert not missing or "results are of fewer" in missing[0].reason


def test_a_diverged_rate_is_not_chosen(runs, tmp_path):
    config = plans.prepare(RunConfig("digits", arm="random"), PLAN)
    path = folder_of(dataclasses.replace(config, learning_rate=3e-3), tmp_path)
    path.mkdir(parents=True)
    (path / "diverged.json").write_text('{"error": "NaN", "final": false}')
    run(tmp_path, arms=("random",))
    assert {each[1] for each in runs if each[4]} == {1e-3}


def test_batches_are_as_small_as_the_time_asks_for():
    costs = [(8, Cost(1.0, 0.05, 0.01)), (64, Cost(1.0, 0.4, 0.1))]

    def size(seconds, **options):
        return plans.choose_batch_size(costs, 3, TASK, seconds, **options)

    assert size(30) == size(300) == 8
    assert size(1e5) == 64 and 8 < size(1000) < 64
    # With few steps, there is no reason for small batches.
    assert size(3000, max_steps=20) == 64


def test_a_plan_has_many_evaluations_unless_they_take_the_time():
    def plan(batch):
        each = Cost(1.0, 0.1, batch)
        return plans.make_plan([each], TASK, 64, 600)

    for found, evaluations in ((plan(0.01), 18), (plan(1.0), 9)):
        assert found.steps // found.evaluation_steps >= evaluations
        assert found.steps // found.evaluation_steps < 2 * evaluations
        for rung in (*found.rungs, found.steps):
            assert rung % found.evaluation_steps == 0
        needed = plans.planned_seconds(found, [Cost(1.0, 0.1, 0.01)], TASK)
        assert needed < 600


def test_seeds_of_fewer_steps_do_not_count(runs, tmp_path):
    run(tmp_path, seconds=60.0)
    (before,) = {each[3] for each in runs if each[4]}
    # The last seed of the second call is interrupted.
    larger = dataclasses.replace(PLAN, steps=before)
    runs.late = len(runs) + 4
    run(tmp_path, larger, 500.0)
    tested = [
        metrics["trained_steps"]
        for path in tmp_path.glob("*/metrics.json")
        if "test_accuracy" in (metrics := json.loads(path.read_text()))
    ]
    assert len(tested) == 3 and min(tested) == max(tested) > before


# Of three runs, which take as long as one and a half.
STACKED = dataclasses.replace(COST, stack=StackCost(3, Cost(1, 0.15, 0), True))


@pytest.fixture
def stacks(runs, monkeypatch):
    """The stacks that are asked for: arm, rates, seeds and last step."""
    asked = []

    def train_in_one_step(config, others, runs_folder, test, size, until):
        left = [
            each
            for each in others
            if folder.is_open(folder_of(each, runs_folder), until)
        ]
        if len(left) > 1 and not asked.failing:
            for each in left[:size]:
                variant_search.get_or_train(each, runs_folder, test, until)
            del runs[-len(left[:size]) :]
        rates, seeds = (
            [getattr(each, name) for each in left[:size]]
            for name in ("learning_rate", "seed")
        )
        asked.append((config.arm, rates, seeds, until))
        return not asked.failing

    class Asked(list):
        failing = False

    asked = Asked()
    monkeypatch.setattr(variant_search, "train_in_one_step", train_in_one_step)
    return asked


def test_the_rates_of_an_arm_and_its_seeds_are_stacked(runs, stacks, tmp_path):
    alone, together = [], []
    run(tmp_path / "alone", saved=alone)
    one_by_one = sorted(each[:3] for each in runs)
    runs.clear()
    assert stacks == []
    assert run(tmp_path / "stacked", saved=together, each=STACKED) == []
    # All are reported, and trained once.
    assert sorted({each[:3] for each in runs}) == sorted(set(one_by_one))
    found = [each for each in stacks if len(each[1]) > 1]
    assert found[:4] == [
        ("fpt", [3e-3, 1e-3, 1e-2], [0, 0, 0], 10),
        ("random", [3e-3, 1e-3, 1e-2], [0, 0, 0], 10),
        ("fpt", [3e-3, 1e-3], [0, 0], 30),
        ("random", [3e-3, 1e-3], [0, 0], 30),
    ]
    steps = together[-1].steps
    assert found[4:] == [
        ("fpt", [1e-3, 1e-3], [1, 2], steps),
        ("random", [3e-3, 3e-3], [1, 2], steps),
    ]
    # Stacks take less time, so there is time for more steps.
    assert steps > alone[-1].steps


def test_with_little_time_left_all_have_a_first_seed_first(
    runs, stacks, tmp_path, monkeypatch
):
    monkeypatch.setattr(halving._Halving, "_needed", lambda *_: 1000.0)
    run(tmp_path, each=STACKED)
    assert {tuple(each[2]) for each in stacks} == {(0, 0, 0), (0, 0), ()}
    assert [each[:3] for each in runs if each[4]] == [
        ("fpt", 1e-3, 1),
        ("random", 3e-3, 1),
        ("fpt", 1e-3, 2),
        ("random", 3e-3, 2),
    ]


def test_what_does_not_fit_is_trained_one_by_one(runs, stacks, tmp_path):
    run(tmp_path / "alone")
    expected = [each[:3] for each in runs]
    runs.clear()
    stacks.failing = True
    run(tmp_path / "stacked", each=STACKED)
    assert [each[:3] for each in runs] == expected
    # It is not tried again.
    assert [each[0] for each in stacks] == ["fpt", "random"]


def test_fewer_seeds_than_others_are_said(runs, tmp_path):
    runs.late = 16
    (missing,) = run(tmp_path)
    assert missing.what == "random" and "1 of the 2" in missing.reason
