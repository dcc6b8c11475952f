"""Comparisons whose runs train in one step."""

import dataclasses
import json
import re
import types

import pytest

from keras_fpt.results import (
    arm_results,
    at_best_rates,
    load_runs,
    read_history,
)
from keras_fpt.runs import (
    RunConfig,
    manifest,
    recorder,
    resolve,
    stacked_training,
)
from keras_fpt.studies import (
    arm_costs,
    compare,
    cost,
    halving,
    plans,
    rival_data,
    rival_models,
    saved_plans,
    variant_search,
)
from keras_fpt.studies.cost import Cost, StackCost

# The work is divided in the same way on every backend.
pytestmark = pytest.mark.backend_free
PLAN = saved_plans.HalvingPlan((1e-3, 1e-2, 3e-3), (4, 8), 8, 2, 20, 20, 4, 12)


@pytest.fixture
def comparison(sums_file, preset, monkeypatch):
    """Three rates, the best two of which go on; then two seeds."""
    monkeypatch.setattr(compare, "make_plan", lambda *_: PLAN)
    monkeypatch.setattr(halving, "_SHARE", 0.0)
    monkeypatch.setattr(variant_search, "MAX_EXTENSIONS", 0)
    monkeypatch.setattr(
        compare.Comparison,
        "variants",
        lambda self, task: [dataclasses.replace(self.run, arm="fpt")],
    )
    monkeypatch.setitem(rival_models._BY_KIND, rival_data.SERIES, [])
    run = RunConfig(sums_file, preset, batch_size=20)
    run = run.with_settings(depth=1, dropout=0.0)
    return compare.Comparison(run, stack="3")


def without_times(sentence):
    return re.sub(r"took \d+ s", "took", sentence)


def test_a_stacked_comparison_that_was_interrupted_has_the_same_table(
    comparison, tmp_path, monkeypatch
):
    each = Cost(0.1, 0.01, 0.001)
    stack = StackCost(3, Cost(0.2, 0.02, 0.001), takes_seeds=True)
    monkeypatch.setattr(
        compare,
        "measure_arms",
        lambda variants, choice="off", left=0.0: [
            dataclasses.replace(each, stack=stack if choice == "3" else None)
        ],
    )
    alone = dataclasses.replace(comparison, stack="off")
    _, expected, sentence = compare.run_comparison(alone, tmp_path / "a", 3600)
    original, calls = recorder.Recorder.advance, []

    def advance(self, logs):
        calls.append((self.folder.name, self.step))
        # Within the second part of the best two rates.
        if len(calls) == 3 * 4 + 2 * 2:
            raise KeyboardInterrupt
        return original(self, logs)

    with monkeypatch.context() as patch:
        patch.setattr(recorder.Recorder, "advance", advance)
        with pytest.raises(KeyboardInterrupt):
            compare.run_comparison(comparison, tmp_path / "b", 3600)
    # As --resume does: what was begun says how runs are stacked.
    again = dataclasses.replace(comparison, stack="auto")
    _, table, said = compare.run_comparison(again, tmp_path / "b", 3600)
    assert without_times(said) == without_times(sentence)
    assert list(table.index) == list(expected.index)
    numbers = expected.select_dtypes("number").columns
    numbers = [name for name in numbers if "seconds" not in name]
    assert table[numbers].to_numpy() == pytest.approx(
        expected[numbers].to_numpy(), abs=1e-5, nan_ok=True
    )
    stacked, one_by_one = (
        load_runs(tmp_path / name).sort_values("folder") for name in "ab"[::-1]
    )
    for ours, theirs in zip(
        stacked["folder"], one_by_one["folder"], strict=True
    ):
        assert ours.rpartition("/")[2] == theirs.rpartition("/")[2]
        for row, other in zip(
            read_history(ours), read_history(theirs), strict=True
        ):
            del row["seconds"], other["seconds"]
            assert row == pytest.approx(other, abs=1e-5)
        assert manifest.read(theirs).stack == ()
    # What was left behind at the first rung, what went on, and the seeds.
    counts = [len(manifest.read(path).stack) for path in stacked["folder"]]
    assert sorted(counts) == [2, 2, 2, 2, 3]
    # The cost of the search is not counted once for each run of a stack.
    (found,) = at_best_rates(arm_results(stacked))
    assert found.search_seconds == pytest.approx(stacked["share_seconds"].sum())
    assert (stacked["share_seconds"] < stacked["wall_seconds"]).all()
    # The two that went on from a stack of three in another of two.
    ratios = stacked["wall_seconds"] / stacked["share_seconds"] / counts
    assert (ratios > 1.001).sum() == 2
    assert "share_seconds" not in one_by_one


def test_an_older_comparison_stays_one_by_one(comparison, tmp_path):
    alone = dataclasses.replace(comparison, stack="off")
    assert "stack" not in alone.described()
    path = tmp_path / "compare.json"
    names = (
        "series_defaults", "kind_defaults", "table_defaults", "probes_steps",
        "probes_random", "token_defaults", "overlap_defaults",
    )  # fmt: skip
    path.write_text(json.dumps(dict.fromkeys(names, True)))
    by_default = dataclasses.replace(comparison, stack="auto")
    assert by_default.as_begun(path) == alone
    assert comparison.as_begun(path) == comparison
    with pytest.raises(ValueError, match="--stack"):
        dataclasses.replace(comparison, stack="one")


def test_a_stack_is_measured_with_seeds_where_it_takes_them(
    comparison, monkeypatch
):
    alone = Cost(1.0, 0.1, 0.01)
    found = {}
    for arm in ("fpt", "random"):
        run = resolve(comparison.run.with_settings(arm=arm))
        found[arm] = cost.measure_stack(run, alone, 2)
        stack = found[arm].stack
        assert stack.size == 2 and stack.cost.step > 0
    assert found["fpt"].stack.takes_seeds
    assert not found["random"].stack.takes_seeds
    other = resolve(comparison.run.with_settings(arm="lstm"))
    assert cost.measure_stack(other, alone, 2) is alone

    def no_memory(*_):
        raise MemoryError("No memory.")

    monkeypatch.setattr(stacked_training, "make_stack", no_memory)
    assert cost.measure_stack(run, alone, 2) is alone


def measured_as(monkeypatch, step, clock=None, seconds=0.0):
    """Makes a step of a single run take 0.1 s, and one of any stack `step`.

    The clock goes on by some seconds whenever a stack is measured.
    """

    def measure_stack(run, single, size):
        if clock:
            clock[0] += seconds
        measured = StackCost(size, Cost(2.0, step, 0.01), True)
        return dataclasses.replace(single, stack=measured)

    monkeypatch.setattr(
        cost, "measure", lambda run: Cost(3.0, 0.1, 0.01, build=1.0)
    )
    monkeypatch.setattr(cost, "measure_stack", measure_stack)
    monkeypatch.setattr("keras_fpt.distribution.has_accelerator", lambda: False)


@pytest.mark.parametrize(
    ("stack", "step", "batch", "expected"),
    [
        ("auto", 0.3, 20, 6),
        # Within what measurements vary by.
        ("auto", 0.55, 20, 1),
        ("auto", 0.7, 20, 1),
        ("4", 0.7, 20, 4),
        ("off", 0.3, 20, 1),
        # A CPU stacks as many as have 2,048 tokens.
        ("auto", 0.1, 100, 5),
        ("auto", 0.1, 400, 1),
        ("4", 0.1, 400, 4),
    ],
)
def test_auto_measures_whether_a_stack_is_faster(
    comparison, monkeypatch, messages, stack, step, batch, expected
):
    measured_as(monkeypatch, step)
    (variant,) = comparison.variants(None)
    variant = dataclasses.replace(variant, batch_size=batch)
    (found,) = arm_costs.measure_arms([variant], stack)
    assert found.largest_stack() == expected
    said = "in one step" if expected > 1 else "one by one"
    is_measured = any(text.endswith(f"they train {said}.") for text in messages)
    assert is_measured == (stack != "off" and (stack, batch) != ("auto", 400))


def test_arms_that_train_every_weight_are_not_measured_together(
    comparison, monkeypatch, messages
):
    measured_as(monkeypatch, 0.1)
    (variant,) = comparison.variants(None)
    for arm in ("no_blocks", "finetune"):
        arms = [dataclasses.replace(variant, arm=arm)]
        (found,) = arm_costs.measure_arms(arms, "auto")
        assert found.largest_stack() == 1 and not messages


def test_patches_are_tokens(comparison, monkeypatch):
    measured_as(monkeypatch, 0.1)
    (variant,) = comparison.variants(None)
    variant = dataclasses.replace(variant, batch_size=400)
    variant = variant.with_settings(patch_size=3, patch_stride=2)
    (found,) = arm_costs.measure_arms([variant], "auto")
    assert found.largest_stack() == 2


def test_measuring_stacks_takes_little_of_the_time(
    comparison, monkeypatch, messages
):
    clock = [0.0]
    measured_as(monkeypatch, 0.3, clock, seconds=8.0)
    monkeypatch.setattr(
        arm_costs, "time", types.SimpleNamespace(monotonic=lambda: clock[0])
    )
    (variant,) = comparison.variants(None)
    arms = [dataclasses.replace(variant, arm=arm) for arm in ("fpt", "random")]

    def sizes(seconds):
        found = arm_costs.measure_arms(arms, "6", seconds)
        return [each.largest_stack() for each in found]

    # One start, of which each run is built, and steps: 2 + 6 * 1.66 s.
    assert sizes(75.0) == [1, 1]
    assert messages[-1].startswith("Runs of fpt, random train one by one")
    # Then what the first has taken: 2 * 8 s are too long, of 15%.
    assert sizes(100.0) == [6, 1]
    assert messages[-1].startswith("Runs of random train one by one")
    assert sizes(110.0) == [6, 6]


def test_a_stack_that_takes_long_to_start_is_not_for_a_short_time():
    stack = StackCost(6, Cost(9.0, 0.3, 0.0), takes_seeds=True)
    each = Cost(1.0, 0.1, 0.0, stack=stack)
    assert each.is_faster_stacked()
    # 157 steps of each run or 303, 10 or 10, and none at all.
    found = [each.is_faster_stacked(seconds) for seconds in (100.0, 12.0, 3.0)]
    assert found == [True, False, False]


def test_jax_compiles_a_step_once(comparison, monkeypatch):
    """Later runs start faster: they read what was compiled from a folder."""
    starts = iter([9.0, 8.0, 2.0])
    monkeypatch.setattr(
        cost, "measure", lambda run: Cost(next(starts), 0.1, 0.01)
    )
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    (variant,) = comparison.variants(None)
    arms = [variant, variant.with_settings(policy="output_only")]
    found = arm_costs.measure_arms(arms)
    assert [each.start for each in found] == [2.0, 2.0]


def test_the_time_of_stacks():
    task = resolve(RunConfig("digits")).task
    stack = StackCost(5, Cost(3.0, 0.3, 0.0), takes_seeds=False)
    each = Cost(1.0, 0.1, 0.0, stack=stack)

    def seconds(runs, **options):
        return each.parts_seconds(task, 64, 10, 10, runs, **options)

    assert seconds(1) == pytest.approx(1.0 + 10 * 0.1)
    assert seconds(5) == pytest.approx(3.0 + 10 * 0.3)
    # Halfway between a single run and the stack that was measured.
    assert seconds(3) == pytest.approx(2.0 + 10 * 0.2)
    assert seconds(6) == pytest.approx(seconds(5) + seconds(1))
    assert seconds(3, by_seed=True) == pytest.approx(3 * seconds(1))
    alone = dataclasses.replace(each, stack=None)
    plan, small = (
        plans.make_plan([one], task, 64, 600) for one in (each, alone)
    )
    assert (plan.seeds, small.seeds) == (5, 3)
    assert plans.planned_seconds(plan, [each], task) <= 600
