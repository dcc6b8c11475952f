"""`keras-fpt runs`, on runs that were written and not run."""

import json
import pathlib
import subprocess
import sys

import pytest
from typer.testing import CliRunner
from written_runs import write_numbers, write_run

import keras_fpt
from keras_fpt import logs
from keras_fpt.cli import app
from keras_fpt.runs import folder as run_folder
from keras_fpt.runs import listing

pytestmark = pytest.mark.backend_free


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "runs/a", 0.8)
    write_run(tmp_path / "runs/b", 0.9, arm="random", steps=20)
    write_run(tmp_path / "runs/c", error="inf", seed=1)
    return tmp_path / "runs"


def invoke(*arguments, **options):
    result = CliRunner().invoke(app, [*map(str, arguments)], **options)
    return result.output if result.exit_code == 0 else result.exception


def folders(*arguments):
    return invoke("runs", "list", *arguments, "--quiet").split()


def test_listed_filtered_and_sorted(runs):
    table = invoke("runs")
    assert "runs/a" in table and "80.00%" in table and "diverged" in table
    assert folders() == ["runs/a", "runs/b", "runs/c"]
    assert folders("--sort", "-validation_accuracy")[:2] == ["runs/b", "runs/a"]
    assert folders("--where", "steps>=30", "--where", "seed=0") == ["runs/a"]
    assert folders("--where", "status!=finished") == ["runs/c"]
    assert folders("--where", "test_accuracy<0.75") == ["runs/a"]
    none = ("--where", "steps>=500", "--sort", "-validation_accuracy")
    assert "No run matches" in invoke("runs", "list", *none)
    assert invoke("runs", "best", *none[:2], "--json") == "[]\n"
    assert "No run has the value 'speed'" in str(
        invoke("runs", "list", "--where", "speed=3")
    )
    assert "condition like" in str(invoke("runs", "list", "--where", "fast"))
    assert "a number for steps" in str(
        invoke("runs", "list", "--where", "steps=many")
    )


def test_the_best_of_each_task(runs):
    assert invoke("runs", "best", "--quiet").split() == ["runs/b"]
    assert "No run has the value" in str(
        invoke("runs", "best", "--metric", "speed")
    )


def test_as_json(runs):
    rows = json.loads(invoke("runs", "list", "--json"))
    assert [row["status"] for row in rows] == ["finished"] * 2 + ["diverged"]
    assert rows[0]["metrics"]["validation_accuracy"] == 0.8
    assert json.loads(invoke("runs", "show", "runs/a", "--json")) == rows[0]
    compared = json.loads(
        invoke("runs", "compare", "runs/a", "runs/b", "--json")
    )
    assert compared["arm"] == ["fpt", "random"] and "seed" not in compared


def test_shown_and_compared(runs):
    shown = invoke("runs", "show", "runs/a")
    assert "validation accuracy" in shown and "0.8" in shown
    compared = invoke("runs", "compare", "runs/a", "runs/b")
    assert "random" in compared and "seed" not in compared
    assert "contains no run" in str(invoke("runs", "show", "runs"))


def test_deleting_asks_and_keeps_what_is_not_the_runs(runs):
    invoke("runs", "delete", "runs/a", input="n\n")
    assert (runs / "a/metrics.json").exists()
    invoke("runs", "delete", "runs/a", input="y\n")
    assert not (runs / "a").exists()
    (runs / "b/notes.txt").write_text("mine")
    assert "Other files" in invoke("runs", "delete", "runs/b", "--yes")
    assert [path.name for path in (runs / "b").iterdir()] == ["notes.txt"]
    with run_folder.lock(runs / "c"):
        error = invoke("runs", "delete", "runs/c", "-y")
    assert isinstance(error, BlockingIOError)
    assert (runs / "c/config.json").exists()


def test_where_there_are_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "There is no folder `runs` here" in str(invoke("runs"))
    assert "no run in these folders" in str(invoke("runs", "list", "."))


def test_version_and_quiet(runs):
    assert invoke("--version") == f"keras-fpt {keras_fpt.__version__}\n"
    level = logs.LOGGER.level
    try:
        invoke("--quiet", "runs")
        assert logs.LOGGER.level == 30
    finally:
        logs.LOGGER.setLevel(level)


def test_completion_is_offered():
    assert "--install-completion" in invoke("--help")


def test_a_list_imports_nothing_heavy(runs):
    program = (
        "import sys; sys.argv = ['keras-fpt', 'runs']\n"
        "from keras_fpt.cli import main\n"
        "try: main()\n"
        "except SystemExit as stop: status = stop.code\n"
        "heavy = {'keras', 'tensorflow', 'torch', 'jax', 'pandas', 'numpy'}\n"
        "print(status, sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert done.stdout.endswith("0 []\n"), done.stderr
    assert listing.find(runs)[0].folder == str(runs / "a")


def test_errors_of_numbers(runs):
    for name, rmse in (("d", 2.0), ("e", 1.5)):
        write_numbers(pathlib.Path("runs", name), rmse)
    best = invoke("runs", "best", "--quiet").split()
    assert best == ["runs/b", "runs/e"]
    assert "RMSE 1.5" in invoke("runs", "list")
