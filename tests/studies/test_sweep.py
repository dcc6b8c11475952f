"""Sweeps, with real workers, some of which are killed."""

import concurrent.futures
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import optuna
import pytest
from launching import free_ports

from keras_fpt import cli
from keras_fpt.results import load_runs
from keras_fpt.runs import RunConfig
from keras_fpt.studies import optuna_studies, sweep_worker
from keras_fpt.studies import sweep as sweeps
from keras_fpt.studies.sweep_config import Range, SweepConfig

# The work is divided in the same way on every backend.
pytestmark = pytest.mark.backend_free
TAKEOVER_SECONDS = 4
TIMEOUT = 300


@pytest.fixture
def config(sums_file, preset):
    """Two arms at two rates, then two seeds each: eight runs, two twice."""
    run = RunConfig(sums_file, preset).with_settings(
        depth=1, steps=20, batch_size=20
    )
    rates = {"learning_rate": (1e-3, 1e-2)}
    return SweepConfig(run, search=rates, seeds=2)


def worker(folder):
    """The process that is first seen to train a run, and the run's name."""
    for _ in range(20 * TIMEOUT):
        for lock in folder.glob("runs/*/.lock"):
            text = lock.read_text() if lock.exists() else ""
            if text.strip():
                return int(text), lock.parent.name
        time.sleep(0.05)
    raise TimeoutError(f"No run began within {TIMEOUT} seconds.")


def kill_a_worker(folder):
    process, name = worker(folder)
    os.kill(process, signal.SIGKILL)
    return name


def command(config, folder, *options):
    """A sweep's arguments on the command line."""
    rates = ",".join(map(str, config.search["learning_rate"]))
    run = config.run
    return [
        *("sweep", run.task, "--preset", run.preset, "--set", "depth=1"),
        *("--set", f"batch_size={run.batch_size}"),
        *("--steps", str(run.steps), "--seeds", str(config.seeds)),
        *("--search", f"learning_rate={rates}", "--output", str(folder)),
        *("--takeover-seconds", str(TAKEOVER_SECONDS), *options),
    ]


def start(config, folder, *options):
    """The command line's sweep in its own process."""
    program = "from keras_fpt.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program, *command(config, folder, *options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def check(config, folder):
    """All runs of a sweep exist, and those chosen have read the test split."""
    runs = load_runs(folder / "runs")
    assert (runs["status"] == "finished").all()
    for arm in config.arms:
        own = runs[runs["arm"] == arm]
        searched = own[own["seed"] == 0]
        assert sorted(searched["learning_rate"]) == [1e-3, 1e-2]
        # A tie goes to the lower loss.
        best = searched.sort_values(
            ["validation_accuracy", "validation_loss"], ascending=[False, True]
        ).iloc[0]
        final = own[own["final"]]
        assert sorted(final["seed"]) == [0, 1]
        assert set(final["learning_rate"]) == {best["learning_rate"]}
    assert len(runs) == 6


def test_a_killed_workers_run_is_taken_over(
    config, tmp_path, monkeypatch, capsys, messages
):
    folder = tmp_path / "sweep"
    arguments = command(config, folder, "--workers", "2")
    monkeypatch.setattr(sys, "argv", ["keras-fpt", *arguments])
    with concurrent.futures.ThreadPoolExecutor() as threads:
        killing = threads.submit(kill_a_worker, folder)
        with pytest.raises(SystemExit) as stop:
            cli.main()
        killed = killing.result()
    output = capsys.readouterr().out
    assert stop.value.code == 0, output
    assert "A worker was lost (exit code -9)" in output
    assert "[8/8]" in output
    assert "fpt is" in output or "Whether fpt is above random" in output
    check(config, folder)
    assert (folder / "runs" / killed / "metrics.json").is_file()
    # Another call has nothing to do.
    before = {p: p.stat().st_mtime_ns for p in folder.glob("runs/*/*")}
    messages.clear()
    table = sweeps.run_sweep(config, folder)
    assert messages == ["All runs of the sweep are finished."]
    assert before == {p: p.stat().st_mtime_ns for p in folder.glob("runs/*/*")}
    assert list(table["n"]) == [2, 2]
    for accuracy in table["test_accuracy"]:
        assert f"{accuracy:.2%}" in output


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")
def test_a_worker_that_dies_before_its_first_heartbeat(tmp_path):
    url = f"sqlite:///{tmp_path / 'study.db'}"
    storage = optuna_studies.open_storage(url, takeover_seconds=2)
    study = optuna.create_study(storage=storage, direction="maximize")
    study.enqueue_trial({"x": 1}, user_attrs={"point": {"x": 1}})
    study.ask()  # Nobody will ever work on it.

    def objective(arm, trial):
        return float(trial.suggest_categorical("x", (1, 2)))

    sweep_worker._work_through({"fpt": study}, objective, storage)
    (trial,) = optuna_studies.completed(study)
    assert trial.params == {"x": 1} and trial.number == 1


@pytest.mark.slow
def test_a_sweep_that_is_stopped_goes_on(config, tmp_path):
    folder = tmp_path / "sweep"
    process = start(config, folder)
    worker(folder)
    process.terminate()
    output, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 75, output
    assert not any(folder.glob("runs/*/.lock"))
    process = start(config, folder)
    output, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, output
    check(config, folder)


@pytest.fixture
def postgresql(tmp_path_factory):
    """The address of a separate PostgreSQL server."""
    programs = {name: shutil.which(name) for name in ("initdb", "postgres")}
    if not all(programs.values()):
        pytest.skip("no PostgreSQL here: `initdb` and `postgres` not found")
    pytest.importorskip("psycopg")
    folder = tmp_path_factory.mktemp("postgresql")
    # The server refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(folder, user)
        for parent in folder.parents[:3]:
            parent.chmod(parent.stat().st_mode | 0o055)
    data, (port,) = folder / "data", free_ports(1)
    subprocess.run(
        [programs["initdb"], "-D", data, "-U", "fpt", "--auth=trust"],
        user=user,
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    server = subprocess.Popen(
        [programs["postgres"], "-D", data, "-p", str(port), "-k", folder],
        user=user,
        cwd=folder,
        stderr=subprocess.DEVNULL,
    )
    url = f"postgresql://fpt@127.0.0.1:{port}/postgres"
    try:
        for _ in range(100):
            try:
                optuna_studies.open_storage(url, TAKEOVER_SECONDS)
                break
            except Exception:
                time.sleep(0.2)
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


@pytest.mark.slow
def test_two_machines_on_postgresql(config, tmp_path, postgresql):
    folder = tmp_path / "sweep"
    first = start(config, folder, "--storage", postgresql)
    # Once it is under way, and the tables are made.
    worker(folder)
    second = start(config, folder, "--storage", postgresql, "--workers", "2")
    kill_a_worker(folder)
    outputs = [p.communicate(timeout=TIMEOUT)[0] for p in (first, second)]
    assert second.returncode == 0, outputs
    # The first one had a single worker, which may be the one that was lost.
    assert first.returncode in (0, 1), outputs
    check(config, folder)


@pytest.mark.slow
def test_a_range_is_searched_by_optuna(config, preset, tmp_path):
    search = {"learning_rate": Range(1e-4, 1e-1), "depth": Range(1, 2)}
    config = SweepConfig(config.run, ("fpt",), search=search, trials=3, seeds=1)
    (row,) = sweeps.run_sweep(config, tmp_path / "sweep").to_dict("records")
    runs = load_runs(tmp_path / "sweep" / "runs")
    rates = runs["learning_rate"]
    assert len(runs) == 3 and rates.between(1e-4, 1e-1).all()
    assert rates.nunique() == 3 and set(runs["depth"]) <= {1, 2}
    best = runs["validation_accuracy"].max()
    assert row["validation_accuracy"] == best and row["n"] == 1


def test_another_sweeps_folder_is_left_alone(config, tmp_path):
    (tmp_path / "sweep.json").write_text(config.to_json())
    other = SweepConfig(config.run, seeds=5)
    with pytest.raises(FileExistsError, match="with other settings"):
        sweeps.run_sweep(other, tmp_path)
    (tmp_path / "sweep.json").rename(tmp_path / "notes.txt")
    with pytest.raises(FileExistsError, match="holds no sweep"):
        sweeps.run_sweep(config, tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"search": {"learning_rate": (1e-3, -1.0)}}, "learning rate above 0"),
        ({"run": RunConfig("bit_xo")}, "Unknown task 'bit_xo'"),
    ],
)
def test_bad_settings_start_nothing(config, changes, message, tmp_path):
    config = SweepConfig(**{**vars(config), **changes})
    with pytest.raises(ValueError, match=message):
        sweeps.run_sweep(config, tmp_path / "sweep")
    assert not (tmp_path / "sweep").exists()


def test_a_worker_that_fails_says_why(config, tmp_path, monkeypatch, capsys):
    shutil.copytree(config.run.preset, tmp_path / "preset")
    (tmp_path / "preset" / "config.json").write_text("{}")
    run = config.run.with_settings(preset=str(tmp_path / "preset"))
    folder = tmp_path / "sweep"
    folder.mkdir()
    settings = SweepConfig(run, ("fpt",), seeds=1).to_json()
    (folder / sweep_worker.CONFIG).write_text(settings)
    monkeypatch.setattr(sys, "argv", ["worker", str(folder)])
    monkeypatch.setenv(sweep_worker.STORAGE, f"sqlite:///{tmp_path}/study.db")
    monkeypatch.setenv(sweep_worker.TAKEOVER, str(TAKEOVER_SECONDS))
    with pytest.raises(SystemExit) as stop:
        sweep_worker.main()
    assert stop.value.code == sweep_worker.FAILED
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("ValueError: ") and "config.json" in last


def test_a_worker_that_fails_ends_the_sweep(config, tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'ValueError: no good'\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sweeps.sys, "executable", str(python))
    message = "A worker failed: ValueError: no good .*-1.log"
    with pytest.raises(ChildProcessError, match=message):
        sweeps.run_sweep(config, tmp_path / "sweep")


def test_points_are_queued_once_and_again_where_they_failed(config, tmp_path):
    url = f"sqlite:///{pathlib.Path(tmp_path, 'study.db')}"
    storage = optuna_studies.open_storage(url, TAKEOVER_SECONDS)
    for _ in range(2):
        studies = optuna_studies.search_studies("a", config, storage)
    trials = studies["fpt"].trials
    assert [t.user_attrs["point"] for t in trials] == config.points
    with pytest.raises(ValueError, match="No run of the study"):
        optuna_studies.best(studies["fpt"])
    trial = studies["fpt"].ask()
    studies["fpt"].tell(trial, state=optuna.trial.TrialState.FAIL)
    again = optuna_studies.search_studies("a", config, storage)["fpt"]
    waiting = [t for t in again.trials if t.state.name == "WAITING"]
    assert json.dumps(trial.user_attrs["point"]) in {
        json.dumps(t.user_attrs["point"]) for t in waiting
    }
    assert len(waiting) == len(config.points)
