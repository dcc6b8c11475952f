"""Reproductions whose runs train in one step."""

import json
import pathlib

import pytest

from keras_fpt.results import load_runs, read_history
from keras_fpt.runs import manifest
from keras_fpt.studies import reproduce, variant_search
from keras_fpt.studies.deadline import Deadline
from keras_fpt.studies.question import Budget, Question

# The work is divided in the same way on every backend.
pytestmark = [
    pytest.mark.backend_free,
    pytest.mark.usefixtures("small_evaluations"),
]


@pytest.fixture
def asked(preset, monkeypatch):
    """An arm at two rates, then with two seeds."""
    monkeypatch.setattr(variant_search, "MAX_EXTENSIONS", 0)
    variants = ({"arm": "fpt", "dropout": 0.0, "depth": 1},)
    budget = Budget(preset, (1e-3, 1e-2), 2, {"bit_xor": 8}, variants)
    budgets = {"hours": budget, "minutes": budget}
    return Question("Does it?", "A table.", variants, budgets, name="small")


def losses(folder):
    """The validation losses of each run, by the name of its folder."""
    return {
        pathlib.Path(path).name: [
            row["validation_loss"] for row in read_history(path)
        ]
        for path in load_runs(folder)["folder"]
    }


@pytest.mark.slow
def test_stacked_variants_have_the_same_runs(asked, tmp_path):
    chosen = asked.budget("hours")
    configs = asked.configs("hours")
    for name, size in (("stacked", 4), ("alone", 1)):
        missing = variant_search.run_variants(
            configs,
            chosen.learning_rates,
            chosen.seeds,
            tmp_path / name,
            Deadline(),
            0.0,
            stack=size,
        )
        assert not missing
    stacked, alone = losses(tmp_path / "stacked"), losses(tmp_path / "alone")
    assert stacked.keys() == alone.keys() and len(alone) == 4
    for name, values in alone.items():
        assert stacked[name] == pytest.approx(values, abs=1e-5)
        assert len(manifest.read(tmp_path / "stacked" / name).stack) == 2
        assert not manifest.read(tmp_path / "alone" / name).stack
    tested = load_runs(tmp_path / "stacked")["final"]
    assert sorted(tested) == [False, False, True, True]


def test_a_budget_with_a_time_limit_has_no_stacks(asked, tmp_path, monkeypatch):
    sizes, measures = [], []

    def run_variants(*_, stack, measures_stack):
        sizes.append(stack)
        measures.append(measures_stack)
        raise KeyboardInterrupt

    monkeypatch.setattr(reproduce, "run_variants", run_variants)
    monkeypatch.setattr("keras_fpt.distribution.has_accelerator", lambda: True)
    for budget in ("minutes", "hours"):
        with pytest.raises(KeyboardInterrupt):
            reproduce.run_question(asked, budget, tmp_path / budget)
    assert sizes[0] == 1 < sizes[1] and measures[1]
    # It goes on as it began, also that of an earlier version.
    for stack in ("off", "auto"):
        with pytest.raises(KeyboardInterrupt):
            reproduce.run_question(asked, "hours", tmp_path / "o", stack=stack)
        assert sizes[-1] == 1
    assert "stack" not in json.loads((tmp_path / "o/question.json").read_text())
    with pytest.raises(ValueError, match="'minutes' has one"):
        reproduce.run_question(asked, "minutes", tmp_path / "n", stack="4")
    assert not (tmp_path / "n").exists()


def test_a_variant_is_measured_once(asked, tmp_path, monkeypatch):
    measured, trained = [], []

    def is_faster_stacked(configs, folder, size):
        measured.append(size)
        return False

    monkeypatch.setattr(
        variant_search.arm_costs, "is_faster_stacked", is_faster_stacked
    )
    monkeypatch.setattr(
        variant_search, "train_in_one_step", lambda *_: trained.append(1)
    )
    monkeypatch.setattr(
        variant_search, "get_or_train", lambda *_, **__: (tmp_path, None)
    )
    missing = variant_search.run_variants(
        asked.configs("hours"),
        (1e-3, 1e-2),
        2,
        tmp_path,
        Deadline(),
        0.0,
        stack=4,
        measures_stack=True,
    )
    assert not missing and measured == [4] and not trained
