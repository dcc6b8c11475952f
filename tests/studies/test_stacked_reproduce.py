"""Reproductions whose runs train in one step."""

import json

import pytest

from keras_fpt.results import load_runs
from keras_fpt.runs import manifest
from keras_fpt.studies import reproduce, variant_search
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


def test_stacked_variants_have_the_same_table(asked, tmp_path):
    stacked, alone = tmp_path / "stacked", tmp_path / "alone"
    _, table = reproduce.run_question(asked, "hours", stacked, stack="4")
    _, expected = reproduce.run_question(asked, "hours", alone, stack="off")
    numbers = [
        name
        for name in expected.select_dtypes("number")
        if "seconds" not in name
    ]
    assert list(table.index) == list(expected.index)
    assert table[numbers].to_numpy() == pytest.approx(
        expected[numbers].to_numpy(), abs=1e-5, nan_ok=True
    )
    for folder, size in ((stacked, 2), (alone, 0)):
        paths = load_runs(folder)["folder"]
        sizes = [len(manifest.read(path).stack) for path in paths]
        assert sizes == 4 * [size]
    # By default it goes on as it began.
    assert reproduce._begun_stack(stacked / reproduce.CONFIG) == "4"
    assert reproduce._begun_stack(alone / reproduce.CONFIG) == "off"
    assert "stack" not in json.loads((alone / reproduce.CONFIG).read_text())


def test_a_budget_with_a_time_limit_has_no_stacks(asked, tmp_path, monkeypatch):
    sizes = []

    def run_variants(*_, stack):
        sizes.append(stack)
        raise KeyboardInterrupt

    monkeypatch.setattr(reproduce, "run_variants", run_variants)
    monkeypatch.setattr("keras_fpt.distribution.has_accelerator", lambda: True)
    for budget in ("minutes", "hours"):
        with pytest.raises(KeyboardInterrupt):
            reproduce.run_question(asked, budget, tmp_path / budget)
    assert sizes[0] == 1 < sizes[1]
    with pytest.raises(ValueError, match="'minutes' has one"):
        reproduce.run_question(asked, "minutes", tmp_path / "n", stack="4")
    assert not (tmp_path / "n").exists()
