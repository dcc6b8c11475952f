"""The study's tables are what its report's runs and today's verdicts give."""

import io
import pathlib
import runpy

import pandas as pd
import pytest

FOLDER = pathlib.Path(__file__).parents[2] / "docs" / "study"

pytestmark = pytest.mark.backend_free


@pytest.fixture(scope="module")
def study():
    return runpy.run_path(str(FOLDER / "recompute.py"), run_name="recompute")


@pytest.fixture(scope="module")
def outputs(study):
    return study["outputs"]()


def test_every_run_of_the_report_is_read(study):
    runs = study["read_runs"]()
    assert len(runs) == 198 and (runs["status"] == "finished").all()
    assert runs["final"].sum() == 3 * 36  # Three seeds of each arm.
    assert runs.loc[~runs["final"], "test_accuracy"].isna().all()
    arms = pd.read_csv(FOLDER / "arms.csv").fillna({"settings": ""})
    means = runs.groupby(["task", "arm", "settings"])["test_accuracy"].mean()
    kept = arms.set_index(["task", "arm", "settings"])["test_accuracy"]
    assert (means - kept[means.index]).abs().max() < 5e-5


@pytest.mark.parametrize("name", ["claims.csv", "arms.csv"])
def test_the_committed_tables_are_what_comes_out(outputs, name):
    committed = pd.read_csv(FOLDER / name)
    again = pd.read_csv(io.StringIO(outputs[name]))
    pd.testing.assert_frame_equal(committed, again, rtol=1e-6)


def test_the_page_shows_these_tables(outputs):
    assert outputs["README.md"] == (FOLDER / "README.md").read_text("utf-8")


def test_no_claim_is_decided(outputs):
    table = pd.read_csv(io.StringIO(outputs["claims.csv"]))
    assert len(table) == 27
    assert table["status"].str.startswith("cannot be told").all()
