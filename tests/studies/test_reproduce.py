import dataclasses
import sys

import numpy as np
import pytest

from keras_fpt import cli, freezing
from keras_fpt.cli.arms_table import print_arms
from keras_fpt.results import load_runs, not_run
from keras_fpt.runs import resolve
from keras_fpt.studies import question, variant_search
from keras_fpt.studies import reproduce as reproduction
from keras_fpt.studies.question import Budget

# What is run is the same on every backend.
pytestmark = [
    pytest.mark.backend_free,
    pytest.mark.usefixtures("small_evaluations"),
]
NAMES = {
    *("transfer", "modality", "architecture", "efficiency", "attention"),
    *("fit", "size", "statistics", "linear-probe", "depth", "train-more"),
    *("groups", "language-models", "layer-norm", "input-init"),
    *("no-language-model", "recipe"),
}


def test_all_questions_are_there():
    assert set(question.names()) == NAMES and len(NAMES) == 17


def test_questions_share_their_defaults():
    loaded = question.load_question("transfer")
    rates = loaded.budget("paper").learning_rates
    assert (min(rates), max(rates)) == (1e-5, 1e-2)
    assert loaded.budget("paper").batch_size == 2
    assert all(c.batch_size == 2 for c in loaded.configs("paper"))
    assert all(c.batch_size is None for c in loaded.configs("hours"))


@pytest.mark.parametrize(
    "name",
    ["size", "depth", "groups", "attention", "layer-norm", "language-models"],
)
@pytest.mark.parametrize("budget", ["minutes", "paper"])
def test_pretrained_arms_are_paired_with_random_ones(name, budget):
    configs = question.load_question(name).configs(budget)
    kinds = {
        arm: {
            dataclasses.replace(c, arm="").identity().__repr__()
            for c in configs
            if c.arm == arm
        }
        for arm in ("fpt", "random")
    }
    assert kinds["fpt"] == kinds["random"] != set()


@pytest.mark.parametrize("name", sorted(NAMES))
@pytest.mark.parametrize("budget", ["minutes", "hours", "paper"])
def test_each_question_is_one_that_runs_can_answer(name, budget):
    asked = question.load_question(name)
    configs = asked.configs(budget)
    assert configs and asked.title.endswith("?")
    for config in configs:
        run = resolve(config)
        assert run.arm and run.steps >= 40
        assert freezing.parse_policy(run.model.policy)
    # On each task the same is compared.
    by_task = {}
    for config in configs:
        key = (
            config.arm,
            config.model.policy,
            config.model.depth,
            config.preset,
        )
        by_task.setdefault(config.task, []).append(key)
    assert len({tuple(keys) for keys in by_task.values()}) == 1
    rates = asked.budget(budget).learning_rates
    assert len(rates) > 1 and len(set(rates)) == len(rates)


def test_unknown_names():
    with pytest.raises(ValueError, match="Unknown question 'magic'.*transfer"):
        question.load_question("magic")
    with pytest.raises(ValueError, match="Unknown budget 'days'.*minutes"):
        question.load_question("depth").configs("days")


@pytest.fixture
def small(preset):
    """The question of modality at a budget of seconds."""
    asked = question.load_question("modality")
    variants = (
        {"arm": "fpt"},
        {"arm": "random"},
        {"arm": "fpt", "preset": "nowhere/at_all"},
    )
    budget = Budget(preset, (1e-3, 1e-2), 1, {"bit_xor": 10}, variants)
    return dataclasses.replace(
        asked, budgets={"minutes": budget}, draws_attention=True
    )


def test_what_can_be_had_is_run_and_the_rest_is_listed(
    small, tmp_path, monkeypatch
):
    monkeypatch.setattr(variant_search, "MAX_EXTENSIONS", 0)
    folder = tmp_path / "modality"
    _, table = reproduction.run_question(small, "minutes", folder)
    assert list(table["n"]) == [1, 1, 1]
    runs = load_runs(folder)
    assert len(runs) == 6 and (runs["steps"] == 10).all()
    (missing,) = not_run.read(folder)
    assert missing.what == "fpt (preset at_all)"
    assert "There is no preset folder `nowhere/at_all`" in missing.reason
    page = (folder / "report.html").read_text()
    assert "How much does it matter" in page and '<h2 id="not-run">' in page
    assert 'src="data:image/png;base64,' in page
    assert (folder / "attention-bit_xor.png").is_file()
    assert (folder / "tables" / "arms.csv").is_file()
    # The same call again has nothing to do.
    before = {p: p.stat().st_mtime_ns for p in folder.glob("runs/*/*")}
    reproduction.run_question(small, "minutes", folder)
    assert before == {p: p.stat().st_mtime_ns for p in folder.glob("runs/*/*")}


def test_a_question_may_be_asked_of_labels_that_are_numbers(
    small, tmp_path, monkeypatch
):
    monkeypatch.setattr(variant_search, "MAX_EXTENSIONS", 0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 4, 2)).astype("float32")
    np.savez(tmp_path / "own.npz", x=x, y=50 + 10.5 * x.mean((1, 2)))
    budget = small.budgets["minutes"]
    steps = {str(tmp_path / "own.npz"): 6}
    variants = budget.variants[:2]
    budget = dataclasses.replace(
        budget, learning_rates=(1e-3,), steps=steps, variants=variants
    )
    asked = dataclasses.replace(
        small, budgets={"minutes": budget}, draws_attention=False
    )
    folder, table = reproduction.run_question(
        asked, "minutes", tmp_path / "asked"
    )
    assert list(table.index.get_level_values("arm"))[:2] == ["fpt", "random"]
    for name in ("test_rmse", "test_mae", "test_r2"):
        assert np.isfinite(table[name][:2].astype(float)).all()
    assert "test R2" in (folder / "report.html").read_text()
    print_arms(table)  # As the command line does.


def test_nothing_can_be_had(small, tmp_path):
    budget = small.budgets["minutes"]
    budget = dataclasses.replace(budget, variants=budget.variants[2:])
    asked = dataclasses.replace(small, budgets={"minutes": budget})
    with pytest.raises(ValueError, match="Nothing of 'modality' could be run"):
        reproduction.run_question(asked, "minutes", tmp_path / "a")


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["keras-fpt", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code


def test_a_dry_run_lists_runs_and_their_cost(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "reproduce", "size", "--dry-run") == 0
    output = capsys.readouterr().out
    assert "gpt2_base_en" in output and "20 runs, 800 steps" in output
    assert "floating-point operations" in output
    assert "9.0 minutes at the latest" in output
    assert not any(tmp_path.iterdir())
    options = ("reproduce", "size", "--dry-run", "--budget", "paper")
    assert run(monkeypatch, *options) == 0
    output = capsys.readouterr().out
    assert "60 runs, 24,000,000 steps" in output and "days or more" in output


def test_the_command_line_names_what_is_wrong(monkeypatch, capsys):
    assert run(monkeypatch, "reproduce", "magic") == 1
    assert "Unknown question 'magic'" in capsys.readouterr().err
