import dataclasses
import html
import json
import re
import sys

import numpy as np
import pytest

from keras_fpt import cli, tasks
from keras_fpt.results import baselines, load_runs, not_run
from keras_fpt.runs import RunConfig, resolve
from keras_fpt.studies import (
    compare,
    halving,
    plans,
    rival_data,
    rival_models,
    rivals,
    saved_plans,
    variant_search,
)
from keras_fpt.studies.cost import Cost

# What is compared, and when it is interrupted, is the same on every backend.
pytestmark = pytest.mark.backend_free


def small_plan(monkeypatch):
    plan = saved_plans.HalvingPlan((1e-3, 1e-2), (5,), 5, 1, 20, 20, 5, 15)
    monkeypatch.setattr(compare, "make_plan", lambda *_: plan)
    monkeypatch.setattr(halving, "_SHARE", 0.0)
    monkeypatch.setattr(variant_search, "MAX_EXTENSIONS", 0)
    # Their own tests are in test_rivals.py.
    monkeypatch.setitem(rival_models._BY_KIND, rival_data.SERIES, [])


def test_the_command_line_compares_user_data(
    sums_file, preset, tmp_path, monkeypatch, capsys
):
    small_plan(monkeypatch)
    folder = tmp_path / "compared"
    arguments = ["compare", sums_file, "--preset", preset, "--output", folder]
    arguments += ["--budget", "5m", "--batch-size", "20"]
    monkeypatch.setattr(sys, "argv", ["keras-fpt", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    output = capsys.readouterr().out
    assert stop.value.code == 0, output
    assert (
        "is worth it on" in output
        or "to be worth it on" in output
        or ("is not worth it on" in output)
        or ("cannot be judged yet on" in output)
    )
    runs = load_runs(folder)
    assert (runs["status"] == "finished").all() and len(runs) == 12
    probe = runs[runs["policy"] == "output_only"]
    assert probe["cache_features"].all() and (probe["dropout"] == 0).all()
    # The table's numbers are those in the files of runs and of the study.
    for baseline in baselines.read(folder):
        assert f"{baseline.test_accuracy:.2%}" in output
    for (_, _), final in runs[runs["final"]].groupby(["arm", "policy"]):
        assert len(final) == 1
        assert f"{final['test_accuracy'].mean():.2%}" in output
        rates = runs[(runs["arm"] == final["arm"].iloc[0])]
        rates = rates[rates["policy"] == final["policy"].iloc[0]]
        searched = rates[rates["seed"] == 0].set_index("learning_rate")
        best = searched["validation_accuracy"].max()
        (rate,) = set(final["learning_rate"])
        assert searched["validation_accuracy"][rate] == best
        assert list(final["seed"]) == [1]
    sentence = output.splitlines()[-1]
    assert sentence in html.unescape((folder / "report.html").read_text())

    # The same command has nothing left to do.
    before = {p: p.stat().st_mtime_ns for p in folder.glob("runs/*/*")}
    run = RunConfig(sums_file, preset, batch_size=20)
    _, _, again = compare.run_comparison(compare.Comparison(run), folder, 300)
    assert again == sentence
    assert before == {p: p.stat().st_mtime_ns for p in folder.glob("runs/*/*")}
    other = compare.Comparison(dataclasses.replace(run, seed=5))
    with pytest.raises(FileExistsError, match="with other settings"):
        compare.run_comparison(other, folder, 300)

    # With a larger budget, its runs are trained further, all for as long.
    monkeypatch.setattr(halving, "_SHARE", 0.5)
    compare.run_comparison(compare.Comparison(run), folder, 400)
    after = load_runs(folder)
    assert set(after["folder"]) == set(runs["folder"])
    assert set(after[after["final"]]["trained_steps"]) == {15}
    assert set(after[~after["final"]]["trained_steps"]) == {5}


@pytest.mark.slow
def test_runs_that_would_take_hours_are_broken_off(
    sums_file, preset, tmp_path, monkeypatch
):
    plan = compare.Plan((1e-3, 1e-2), 2, 200_000)
    monkeypatch.setattr(compare, "make_plan", lambda *_: plan)
    monkeypatch.setattr(compare, "_REPORT_SECONDS", 2)
    run = RunConfig(sums_file, preset, batch_size=20)
    _, table, _ = compare.run_comparison(
        compare.Comparison(run), tmp_path / "a", 40
    )
    assert not any(tmp_path.glob("a/runs/*/metrics.json"))
    assert "majority" in table.index.get_level_values("arm")
    missing = {entry.what.split()[0]: entry for entry in not_run.read(tmp_path)}
    assert missing["fpt"].reason == variant_search.TOO_SHORT


@pytest.mark.slow
def test_what_ran_is_reported_if_time_runs_out(
    sums_file, preset, tmp_path, monkeypatch, messages
):
    plan = compare.Plan((1e-3,), 100_000, 25)
    monkeypatch.setattr(compare, "make_plan", lambda *_: plan)
    monkeypatch.setattr(compare, "_REPORT_SECONDS", 5)
    run = RunConfig(sums_file, preset, batch_size=20)
    _, table, sentence = compare.run_comparison(
        compare.Comparison(run), tmp_path / "a", 60
    )
    assert sentence is not None
    assert any("time for 100000 seeds" in line for line in messages)
    arms = table[table["learning_rate"].notna()]
    assert len(arms) == 4 and (arms["n"] >= 1).all()


def cost(step):
    return Cost(start=1.0, step=step, batch=0.01)


def test_the_plan_fits_the_time():
    task = tasks.get("digits")
    costs = [cost(0.1), cost(0.2)]
    for seconds in (100, 1000, 1500):
        plan = compare.make_plan(costs, task, 64, seconds)
        # The search takes about as long as one of the runs at the best rate.
        needed = sum(plan.seeds * plan.steps * each.step for each in costs)
        assert 0.3 * seconds < needed < seconds
        assert plans.planned_seconds(plan, costs, task) <= seconds
    assert plan.seeds == 3 and plan.steps > 250


def test_with_much_time_the_plan_is_wider():
    task = tasks.get("digits")
    plan = compare.make_plan([cost(0.1)], task, 64, 7200)
    assert (len(plan.learning_rates), plan.seeds) == (6, 5)
    assert 1000 < plan.steps < plan.limit == 10_000


def test_too_little_time_is_reported_immediately():
    with pytest.raises(ValueError, match="The budget is too small.* 25 steps"):
        compare.make_plan([cost(10.0)], tasks.get("digits"), 64, 60)


def test_the_arms_that_take_part():
    comparison = compare.Comparison(RunConfig("digits"), finetune=True)
    variants = comparison.variants(tasks.get("digits"))
    arms = [(v.arm, v.model.policy, v.cache_features) for v in variants]
    assert arms[-1] == ("fpt", "output_only", True)
    assert [arm for arm, *_ in arms[:-1]] == [
        "fpt", "random", "finetune", "full", "no_blocks"
    ]  # fmt: skip
    # Features of examples that are generated each time cannot be cached.
    generated = compare.Comparison(RunConfig("bit_xor"))
    probe = generated.variants(tasks.get("bit_xor"))[-1]
    assert probe.model.policy == "output_only" and not probe.cache_features


def test_the_defaults_of_series(sums_file, tmp_path):
    comparison = compare.Comparison(RunConfig(sums_file))
    task = resolve(comparison.run).task
    settled = comparison.settled(task)
    variants = settled.variants(task)
    assert {each.model.readout for each in variants} == {"last+mean"}
    assert [each.arm for each in variants] == [
        "fpt", "random", "no_blocks", "fpt",
    ]  # fmt: skip
    given = compare.Comparison(
        RunConfig(sums_file).with_settings(readout="mean")
    )
    assert given.settled(task) is given
    # An explicit choice of what is the default elsewhere.
    last = dataclasses.replace(comparison, chooses_readout=False)
    assert last.settled(task) is last
    digits = compare.Comparison(RunConfig("digits"))
    settled = digits.settled(tasks.get("digits"))
    assert settled.run.model.readout == "flatten"
    strings = compare.Comparison(RunConfig("bit_xor"))
    assert strings.settled(tasks.get("bit_xor")) is strings
    # A comparison that an earlier version began stays what it was.
    path = tmp_path / "compare.json"
    assert comparison.as_begun(path) is comparison
    entry = comparison.described()
    path.write_text(json.dumps(entry))
    assert comparison.as_begun(path) == comparison
    assert settled.probes(False) == ["linear_probe", "linear_probe_of_random"]
    # The version before had no controls of probes, one before it one probe.
    del entry["probes_random"], entry["table_defaults"]
    del entry["token_defaults"], entry["overlap_defaults"]
    path.write_text(json.dumps(entry))
    assert comparison.as_begun(path).probes(True) == [
        "linear_probe",
        "linear_probe_of_steps",
    ]
    del entry["probes_steps"]
    path.write_text(json.dumps(entry))
    assert comparison.as_begun(path).described() == entry
    assert not compare.Comparison.read(path).probes_steps
    # One before that read images as the tasks do.
    del entry["kind_defaults"]
    path.write_text(json.dumps(entry))
    old = last.as_begun(path)
    assert old.described() == entry
    assert old.settled(task).run.model.readout == "last+mean"
    before = dataclasses.replace(digits, kind_defaults=False)
    assert before.settled(tasks.get("digits")) is before
    del entry["series_defaults"]
    path.write_text(json.dumps(entry))
    old = comparison.as_begun(path)
    assert old.described() == entry and old.settled(task) is old
    assert [each.arm for each in old.variants(task)] == ["fpt", "random", "fpt"]
    assert not compare.Comparison.read(path).series_defaults


def test_tables_are_read_from_all_columns(tmp_path):
    path = tmp_path / "table.csv"
    rows = [f"{i},{i * i % 7},{i % 2}" for i in range(40)]
    path.write_text("\n".join(["u,v,y", *rows]))
    run = RunConfig(str(path), options={"label_column": "y"})
    comparison = compare.Comparison(run)
    task = resolve(run).task
    assert comparison.settled(task).run.model.readout == "flatten"
    before = dataclasses.replace(comparison, table_defaults=False)
    assert before.settled(task) is before


def test_the_patches_of_an_earlier_comparison_do_not_overlap(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 20, 2)).astype("float32")
    np.savez(tmp_path / "mine.npz", x=x, y=np.arange(40) % 2)
    comparison = compare.Comparison(RunConfig(str(tmp_path / "mine.npz")))
    task = resolve(comparison.run).task
    model = comparison.settled(task).run.model
    assert (model.patch_size, model.patch_stride) == (6, 3)
    entry = comparison.described()
    del entry["overlap_defaults"]
    begun = tmp_path / "compare.json"
    begun.write_text(json.dumps(entry))
    before = comparison.as_begun(begun)
    assert before.described() == entry
    model = before.settled(task).run.model
    assert (model.patch_size, model.patch_stride) == (3, None)


def test_labels_of_rows_are_read_with_the_mean_of_all(tmp_path):
    path = tmp_path / "table.csv"
    rows = [f"{i * i % 7},{i // 9 % 2}" for i in range(200)]
    path.write_text("\n".join(["u,y", *rows]))
    options = {"label_column": "y", "window": 10, "task_type": "tokens"}
    comparison = compare.Comparison(RunConfig(str(path), options=options))
    task = resolve(comparison.run).task
    assert comparison.settled(task).run.model.readout == "token+mean"
    # One that an earlier version began reads each row by itself.
    entry = comparison.described()
    del entry["token_defaults"], entry["overlap_defaults"]
    begun = tmp_path / "compare.json"
    begun.write_text(json.dumps(entry))
    before = comparison.as_begun(begun)
    assert before.described() == entry
    assert before.settled(task) is before


def test_what_is_fitted_is_kept_if_nothing_can_be_trained(
    sums_file, preset, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(
        compare, "measure_arms", lambda runs, *_: len(runs) * [cost(1e4)]
    )
    chosen = [rival_models._LOGISTIC_REGRESSION]
    monkeypatch.setattr(rival_models, "of_task", lambda *_: chosen)
    folder = tmp_path / "short"
    arguments = ["compare", sums_file, "--preset", preset, "--output", folder]
    monkeypatch.setattr(sys, "argv", ["keras-fpt", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    output = capsys.readouterr().out
    assert stop.value.code == 0
    majority, regression = baselines.read(folder)
    assert f"{majority.test_accuracy:.2%}" in output
    assert f"{regression.test_accuracy:.2%}" in output
    # Four arms, each with 3 rates of 8 steps, and 2 seeds of 25 steps, of
    # 10,000 s.
    minutes = 4 * (3 * 8 + 2 * 25) * 1e4 / 0.75 / 60
    assert re.search("Not run: fpt.*, random.*: The budget is too", output)
    needed = int(re.search(r"About (\d+) minutes more are needed", output)[1])
    assert minutes < needed < minutes + 5
    assert output.splitlines()[-1].startswith("There was not enough time")

    # With more time, a rival that was fitted is not fitted again.
    monkeypatch.setattr(rivals, "_fit", None)
    run = RunConfig(sums_file, preset)
    _, table, _ = compare.run_comparison(compare.Comparison(run), folder, 60)
    assert list(table.index.get_level_values("arm")) == [
        "majority", "logistic_regression"
    ]  # fmt: skip


def test_the_steps_may_be_more_than_the_recipes():
    plan = compare.make_plan([cost(0.1)], tasks.get("digits"), 64, 7200, 3000)
    assert 2900 < plan.steps <= plan.limit == 3000
