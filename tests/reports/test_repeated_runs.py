"""What a report counts, and what it leaves out and says so."""

import pytest
from written_runs import write_run

from keras_fpt.reports import write_report
from keras_fpt.results import load_runs, summarize

pytestmark = pytest.mark.backend_free


def test_a_seed_counts_once_and_budgets_are_not_mixed(tmp_path, messages):
    write_run(tmp_path / "one", 0.8)
    write_run(tmp_path / "same", 0.8)
    write_run(tmp_path / "other", 0.9, seed=1)
    write_run(tmp_path / "short", 0.6, steps=20)
    runs = load_runs(tmp_path)
    assert runs.set_index("folder")["repeats"].sum() == 1
    table = summarize(runs).reset_index()
    by_steps = dict(zip(table["settings"], table["n"], strict=True))
    assert by_steps == {"steps 30": 2, "steps 20": 1}
    write_report([tmp_path], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    sentence = f"{tmp_path}/same has the configuration, data and seed of "
    assert sentence + f"{tmp_path}/one" in page
    assert any(sentence in message for message in messages)
    # A line in the plot for each budget.
    assert "fpt, steps 20 (1)" in page and "fpt, steps 30 (2)" in page


def test_no_blank_plot_is_drawn(tmp_path):
    write_run(tmp_path / "lost", error="inf")
    write_report([tmp_path], tmp_path / "report.html")
    assert "<svg" not in (tmp_path / "report.html").read_text()
