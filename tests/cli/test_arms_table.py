"""The table of arms in a terminal."""

import pytest

from keras_fpt.cli import arms_table as shown
from keras_fpt.results import arms_table, baselines

pytestmark = pytest.mark.backend_free


def test_arms_of_long_names_can_be_told_apart(capsys, monkeypatch):
    names = [baselines.RANDOM_PROBE, baselines.RANDOM_STEPS_PROBE]
    fitted = [
        baselines.Baseline("walks", name, "C 1", 0.5, 0.5, 0.5, 1.0, 8, 4)
        for name in names
    ]
    monkeypatch.setattr(shown.console, "width", 54)
    shown.print_arms(arms_table.of_baselines(fitted))
    lines = capsys.readouterr().out.splitlines()
    cells = [line.split("│")[1].strip() for line in lines if "│" in line]
    assert all("…" not in text for text in cells)
    assert "".join(cells) == "C 1".join([*names, ""])
