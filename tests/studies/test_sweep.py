"""Sweeps, with real workers, some of which are killed."""

import concurrent.futures
import dataclasses
import json
import math
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

import optuna
import pytest
from launching import free_ports

from keras_fpt import cli
from keras_fpt.files import folder_lock
from keras_fpt.files.folder_lock import TakenOver
from keras_fpt.results import load_runs
from keras_fpt.runs import RunConfig
from keras_fpt.studies import (
    database_address,
    optuna_studies,
    sweep_worker,
)
from keras_fpt.studies import sweep as sweeps
from keras_fpt.studies.sweep_config import Range, SweepConfig

# The work is divided in the same way on every backend.
pytestmark = pytest.mark.backend_free
TAKEOVER_SECONDS = 4
TIMEOUT = 300


@pytest.fixture
def config(sums_file, preset):
    """Two arms at two rates, then two seeds each: eight runs."""
    run = RunConfig(sums_file, preset).with_settings(
        depth=1, steps=20, batch_size=20
    )
    rates = {"learning_rate": (1e-3, 1e-2)}
    return SweepConfig(run, search=rates, seeds=2, extensions=0)


def worker(folder):
    """The process that is first seen to train a run, and the run's name."""
    for _ in range(20 * TIMEOUT):
        for lock in folder.glob("runs/*/.lock"):
            text = lock.read_text() if lock.exists() else ""
            if text.strip():
                return int(text.split()[0]), lock.parent.name
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
        *("--set", f"readout={run.model.readout}"),
        *("--set", f"batch_size={run.batch_size}"),
        *("--steps", str(run.steps), "--seeds", str(config.seeds)),
        *("--extensions", str(config.extensions)),
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
        assert sorted(final["seed"]) == [1, 2]
        assert set(final["learning_rate"]) == {best["learning_rate"]}
    assert len(runs) == 8


def test_a_killed_workers_run_is_taken_over(
    config, tmp_path, monkeypatch, capsys, messages
):
    folder = tmp_path / "sweep"
    arguments = command(config, folder, "--workers", "2")
    # Workers must not run what lies in the current folder.
    (tmp_path / "optuna.py").write_text("raise SystemExit('ran a stranger')")
    monkeypatch.chdir(tmp_path)
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
    assert list(table["n"]) == [2, 2, 1]  # The last is the majority class.
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
    (trial,) = optuna_studies.completed_trials(study)
    assert trial.params == {"x": 1} and trial.number == 1


@pytest.mark.slow
def test_a_sweep_that_is_stopped_continues(config, tmp_path):
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
    config = SweepConfig(
        config.run,
        ("fpt",),
        search=search,
        trials=3,
        seeds=1,
        shares_seed=True,
    )
    row, _ = sweeps.run_sweep(config, tmp_path / "sweep").to_dict("records")
    runs = load_runs(tmp_path / "sweep" / "runs")
    rates = runs["learning_rate"]
    assert len(runs) == 3 and rates.between(1e-4, 1e-1).all()
    assert rates.nunique() == 3 and set(runs["depth"]) <= {1, 2}
    best = runs["validation_accuracy"].max()
    assert row["validation_accuracy"] == best and row["n"] == 1


def test_another_sweeps_folder_is_not_changed(config, tmp_path):
    (tmp_path / "sweep.json").write_text(config.to_json())
    other = SweepConfig(config.run, seeds=5)
    with pytest.raises(FileExistsError, match="with other settings"):
        sweeps.run_sweep(other, tmp_path)
    (tmp_path / "sweep.json").rename(tmp_path / "notes.txt")
    with pytest.raises(FileExistsError, match="contains no sweep"):
        sweeps.run_sweep(config, tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"search": {"learning_rate": (1e-3, -1.0)}}, "learning rate above 0"),
        (
            {"search": {"learning_rate": Range(-1.0, 1e-3)}, "trials": 2},
            "learning rate above 0",
        ),
        ({"search": {"dropout": (0.1, 5.0)}}, "arm fpt with .*dropout=5.0"),
        (
            {"search": {"dropout": Range(0, 2)}, "trials": 2},
            "arm fpt with .*dropout=2",
        ),
        ({"search": {"depth": (1, 99)}}, "depth=99 cannot be built"),
        ({"search": {"quantize": ("int3",)}}, "quantize=int3"),
        ({"search": {"readout": ("middle",)}}, "readout=middle"),
        ({"search": {"dtype": ("float7",)}}, "dtype=float7"),
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


def test_a_worker_ends_with_its_parent():
    read, held_by_parent = os.pipe()
    stopped = threading.Event()
    waiting = sweep_worker.stop_with_parent(read, stopped.set)
    assert not stopped.wait(0.1)
    os.close(held_by_parent)  # As the system does, however the parent ends.
    assert stopped.wait(5)
    waiting.join()
    os.close(read)


class Stuck:
    """A worker's process that does not end when it is asked to."""

    pid = 1

    def __init__(self):
        self.signals, self.is_killed = [], False

    def send_signal(self, number):
        self.signals.append(number)

    def wait(self, timeout):
        raise subprocess.TimeoutExpired("worker", timeout)

    def kill(self):
        self.is_killed = True


def test_a_worker_that_is_stuck_is_not_waited_for(monkeypatch, messages):
    monkeypatch.setattr(sweeps, "STOP_SECONDS", 0.0)
    processes = sweeps._Processes.__new__(sweeps._Processes)
    stuck = Stuck()
    processes.running = {pathlib.Path("worker.log"): stuck}
    processes.stop()
    # A suspended one is woken up, so that it can save a checkpoint.
    assert stuck.signals == [signal.SIGTERM, signal.SIGCONT]
    assert stuck.is_killed and "did not end within" in messages[0]


@pytest.fixture
def trials(tmp_path):
    """Two workers' views of a study with one trial."""
    url = database_address.of_file(tmp_path / "study.db")
    storages = [optuna_studies.open_storage(url, 4) for _ in range(2)]
    first, second = (
        optuna.create_study(
            storage=storage, study_name="a", load_if_exists=True
        )
        for storage in storages
    )
    first.enqueue_trial({"x": 1}, user_attrs={"point": {"x": 1}})
    return first, second, storages[1]


def give_up(study, storage):
    """What another worker does with the trial of a silent one."""
    (running,) = study.get_trials(states=[optuna.trial.TrialState.RUNNING])
    state = optuna.trial.TrialState.FAIL
    storage.set_trial_state_values(running._trial_id, state)
    retry = storage.get_heartbeat_stale_trial_callback()
    retry(study, storage.get_trial(running._trial_id))


@pytest.mark.parametrize(
    "error",
    [None, TakenOver("lost"), KeyboardInterrupt, ValueError("no good")],
)
def test_a_worker_that_resumes_leaves_its_trial_to_another(
    trials, error, messages
):
    first, second, storage = trials

    def objective(trial):
        trial.suggest_categorical("x", (1, 2))
        give_up(second, storage)
        if error is not None:
            raise error
        return 1.0

    if error is KeyboardInterrupt:  # It was asked to stop as well.
        with pytest.raises(KeyboardInterrupt):
            sweep_worker._run_trial(first, objective)
    else:
        sweep_worker._run_trial(first, objective)
    states = [trial.state.name for trial in second.trials]
    assert states == ["FAIL", "WAITING"]
    failures = [text for text in messages if "failed in this worker" in text]
    if isinstance(error, ValueError):
        assert len(failures) == 1 and "ValueError: no good" in failures[0]
    else:
        assert failures == []


def test_other_errors_of_a_trial_are_raised(trials):
    def objective(trial):
        raise ValueError("no good")

    with pytest.raises(ValueError, match="no good"):
        sweep_worker._run_trial(trials[0], objective)


def test_a_run_is_taken_over_only_if_its_workers_trials_are_given_up(
    trials, monkeypatch
):
    first, second, storage = trials
    second.enqueue_trial({"x": 1})
    ours, others = first.ask(), second.ask()
    for trial, process in ((ours, "1\na"), (others, "2\nb")):
        monkeypatch.setattr(folder_lock, "process_name", lambda p=process: p)
        trial.suggest_categorical("x", (1, 2))
        optuna_studies.mark_started(trial)
    assert optuna_studies.is_running(ours)
    # The others' is tried; who else holds a run is none of the sweep's.
    assert not optuna_studies.is_silent("2\nb", first)
    assert not optuna_studies.is_silent("3\na", first)
    second.tell(others, state=optuna.trial.TrialState.FAIL)
    assert optuna_studies.is_silent("2\nb", first)
    assert not optuna_studies.is_silent("1\na", first)
    give_up(second, storage)
    assert not optuna_studies.is_running(ours)
    # Its trial waits for another worker, with all that it had recorded.
    assert optuna_studies.is_silent("1\na", second)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_workers_end_when_the_sweep_does(config, tmp_path, number):
    folder = tmp_path / "sweep"
    config = dataclasses.replace(
        config, run=config.run.with_settings(steps=5000)
    )
    process = start(config, folder)
    pid, name = worker(folder)
    process.send_signal(number)
    process.wait(TIMEOUT)
    wait_until(lambda: not is_alive(pid))
    # It has saved a checkpoint, if it had begun to train.
    assert not (folder / "runs" / name / ".lock").exists()


@pytest.mark.slow
def test_a_suspended_workers_run_is_taken_over(config, tmp_path):
    folder = tmp_path / "sweep"
    config = dataclasses.replace(
        config, run=config.run.with_settings(steps=400)
    )
    process = start(config, folder, "--workers", "2")
    pid, name = worker(folder)
    os.kill(pid, signal.SIGSTOP)
    metrics = folder / "runs" / name / "metrics.json"
    wait_until(metrics.is_file)
    os.kill(pid, signal.SIGCONT)
    output, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, output
    check(config, folder)


@pytest.mark.slow
def test_a_suspended_worker_does_not_hold_up_a_sweep(config, tmp_path):
    folder = tmp_path / "sweep"
    config = dataclasses.replace(
        config, run=config.run.with_settings(steps=5000)
    )
    process = start(config, folder)
    pid, _ = worker(folder)
    os.kill(pid, signal.SIGSTOP)
    process.terminate()
    process.communicate(timeout=3 * sweeps.STOP_SECONDS)
    assert process.returncode == 75 and not is_alive(pid)


def wait_until(condition):
    for _ in range(20 * TIMEOUT):
        if condition():
            return
        time.sleep(0.05)
    raise TimeoutError(f"It did not happen within {TIMEOUT} seconds.")


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_worker_that_fails_ends_the_sweep(config, tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'ValueError: no good'\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sweeps.sys, "executable", str(python))
    message = "A worker failed: ValueError: no good .*-1.log"
    with pytest.raises(ChildProcessError, match=message):
        sweeps.run_sweep(config, tmp_path / "sweep")


def tried_in(folder, config, accuracy):
    """What a sweep's workers try if no run is trained, by arm."""
    url = f"sqlite:///{pathlib.Path(folder, 'study.db')}"
    storage = optuna_studies.open_storage(url, TAKEOVER_SECONDS)
    studies = optuna_studies.search_studies("a", config, storage)
    tried = {arm: [] for arm in config.arms}

    def objective(arm, trial):
        optuna_studies.reseed_sampler(trial, 0)
        settings = optuna_studies.suggest_settings(trial, config.search)
        tried[arm].append(settings)
        trial.set_user_attr("loss", 1.0)
        return accuracy(arm, settings["learning_rate"])

    trials = config.trials
    sweep_worker._work_through(studies, objective, storage, trials)
    while optuna_studies.queue_next_points(config, studies):
        sweep_worker._work_through(studies, objective, storage)
    assert optuna_studies.next_points(config, studies) == []
    return tried, studies


def test_all_arms_search_outward_while_a_best_rate_is_at_the_edge(
    config, tmp_path
):
    """The best of fpt is 0.03, and that of random lies within the grid."""
    config = dataclasses.replace(
        config, search={"learning_rate": (3e-4, 1e-3, 3e-3)}, extensions=4
    )
    best = {"fpt": 0.03, "random": 1e-3}

    def accuracy(arm, rate):
        return 1 / (2 + abs(math.log(rate / best[arm])))

    tried, studies = tried_in(tmp_path, config, accuracy)
    rates = [3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]
    for arm in config.arms:
        assert [point["learning_rate"] for point in tried[arm]] == rates
        chosen = optuna_studies.chosen_settings(
            optuna_studies.best_trial(studies[arm])
        )
        assert chosen == {"learning_rate": best[arm]}


def test_a_search_outward_ends(config, tmp_path):
    config = dataclasses.replace(config, extensions=2)
    tried, _ = tried_in(tmp_path, config, lambda arm, rate: 1e-3 / (1 + rate))
    rates = [point["learning_rate"] for point in tried["fpt"]]
    assert rates == [1e-3, 1e-2, 3e-4, 1e-4]


def test_what_optuna_chooses_follows_from_the_seed(config, tmp_path):
    config = SweepConfig(
        config.run, ("fpt",), {"learning_rate": Range(1e-4, 1e-1)}, trials=12
    )
    found = []
    for name in "ab":
        (tmp_path / name).mkdir()
        tried, _ = tried_in(tmp_path / name, config, lambda arm, rate: rate)
        found.append(tried["fpt"])
    assert found[0] == found[1] and len(found[0]) == 12
    assert len({point["learning_rate"] for point in found[0]}) == 12


def test_the_later_of_two_trials_of_one_point_is_surplus(trials):
    first, second, _ = trials
    second.enqueue_trial({"x": 1}, user_attrs={"point": {"x": 1}})
    second.enqueue_trial({"x": 2}, user_attrs={"point": {"x": 2}})
    ours, same, other = first.ask(), second.ask(), second.ask()
    surplus = [optuna_studies.is_surplus(t, None) for t in (ours, same, other)]
    assert surplus == [False, True, False]
    # Of a range, those are surplus that are more than was asked for.
    surplus = [optuna_studies.is_surplus(t, 2) for t in (ours, same, other)]
    assert surplus == [False, False, True]
    # The worker of the first is about to leave it to another.
    optuna_studies.requeue(ours)
    again = second.ask()
    assert again.user_attrs == {"point": {"x": 1}}
    assert not optuna_studies.is_surplus(same, None)


def test_a_sweep_of_an_earlier_version_stays_as_it_was(config, tmp_path):
    before = dataclasses.replace(
        config, shares_seed=True, extensions=0, stack="off"
    )
    path = tmp_path / "sweep.json"
    assert "shares_seed" not in before.to_json()
    path.write_text(before.to_json())
    now = dataclasses.replace(config, extensions=3)
    assert now.as_started(path) == before == SweepConfig.read(path)
    path.write_text(now.to_json())
    assert now.as_started(path) == now == SweepConfig.read(path)


def test_points_are_queued_once_and_again_where_they_failed(config, tmp_path):
    url = f"sqlite:///{pathlib.Path(tmp_path, 'study.db')}"
    storage = optuna_studies.open_storage(url, TAKEOVER_SECONDS)
    for _ in range(2):
        studies = optuna_studies.search_studies("a", config, storage)
    trials = studies["fpt"].trials
    assert [t.user_attrs["point"] for t in trials] == config.points
    with pytest.raises(ValueError, match="No run of the study"):
        optuna_studies.best_trial(studies["fpt"])
    trial = studies["fpt"].ask()
    studies["fpt"].tell(trial, state=optuna.trial.TrialState.FAIL)
    again = optuna_studies.search_studies("a", config, storage)["fpt"]
    waiting = [t for t in again.trials if t.state.name == "WAITING"]
    assert json.dumps(trial.user_attrs["point"]) in {
        json.dumps(t.user_attrs["point"]) for t in waiting
    }
    assert len(waiting) == len(config.points)
