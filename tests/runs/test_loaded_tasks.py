"""Data is loaded once in a process, for any number of runs."""

import os
import pathlib

import pytest

from keras_fpt.runs import (
    RunConfig,
    evaluate,
    get_or_train,
    loaded_tasks,
    resolve,
)
from keras_fpt.studies import compare
from keras_fpt.tasks.user_data.tables import table_files

pytestmark = pytest.mark.backend_free


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "rows.csv"
    rows = "".join(f"{n % 7},{n % 3},{'ab'[n % 2]}\n" for n in range(60))
    path.write_text(f"u,v,kind\n{rows}")
    return path


@pytest.fixture
def reads(monkeypatch):
    """The paths of the tables that are read, in order."""
    paths, read_table = [], table_files.read_table

    def count(path, *format):
        paths.append(str(path))
        return read_table(path, *format)

    monkeypatch.setattr(table_files, "read_table", count)
    return paths


def config_of(table, preset, **settings):
    options = {"label_column": "kind"}
    return RunConfig(str(table), preset, options=options).with_settings(
        steps=1, batch_size=8, **settings
    )


def test_runs_tests_and_evaluations_read_a_table_once(
    table, preset, tmp_path, reads, messages
):
    for seed in range(2):
        config = config_of(table, preset, seed=seed)
        folder, _ = get_or_train(config, tmp_path / "runs", test=False)
        get_or_train(config, tmp_path / "runs", test=True)
    evaluate(folder)
    assert reads == [str(table.resolve())]
    # Its description is logged once.
    assert sum("60 sequences" in line for line in messages) == 1


def test_a_comparison_reads_a_table_once(
    table, preset, tmp_path, reads, monkeypatch, messages
):
    plan = compare.Plan((1e-3,), 2, 1)
    monkeypatch.setattr(compare, "make_plan", lambda *_: plan)
    comparison = compare.Comparison(config_of(table, preset))
    compare.run_comparison(comparison, tmp_path / "compared", 300)
    assert reads == [str(table.resolve())]
    assert sum("60 sequences" in line for line in messages) == 1


def test_a_table_that_has_changed_is_read_again(table, preset, reads):
    config = config_of(table, preset)
    first = resolve(config).task
    assert resolve(config).task is first
    table.write_text(table.read_text() + "1,1,a\n" * 10)
    os.utime(table, ns=(1, 1))
    second = resolve(config).task
    sizes = [
        sum(task.data.size(s) for s in ("train", "validation", "test"))
        for task in (first, second)
    ]
    assert sizes == [60, 70] and len(reads) == 2


def test_test_examples_that_have_changed_are_read_again(table, preset, reads):
    test = table.with_name("test.csv")
    test.write_text(table.read_text())
    options = {"label_column": "kind", "test": str(test)}
    config = RunConfig(str(table), preset, options=options)
    assert resolve(config).task.data.size("test") == 60
    assert len(reads) == 2
    test.write_text(table.read_text() + "1,1,a\n" * 10)
    os.utime(test, ns=(1, 1))
    assert resolve(config).task.data.size("test") == 70


def test_other_options_are_another_task(table, preset, reads):
    first = resolve(config_of(table, preset)).task
    config = RunConfig(
        str(table),
        preset,
        options={"label_column": "kind", "ignore_column": "u"},
    )
    second = resolve(config).task
    assert (first.sequence_length, second.sequence_length) == (2, 1)


def test_an_evaluation_in_another_process_does_not_describe_the_data(
    table, preset, tmp_path, messages, monkeypatch
):
    config = config_of(table, preset)
    folder, _ = get_or_train(config, tmp_path / "runs", test=False)
    monkeypatch.setattr(loaded_tasks, "_loaded", {})
    messages.clear()
    evaluate(folder)
    assert messages == []


def test_a_relative_data_dir_is_that_of_the_working_directory(
    tmp_path, monkeypatch
):
    made = []
    monkeypatch.setattr(
        loaded_tasks.tasks, "get", lambda *a, **_: made.append(a)
    )
    for name in ("one", "other"):
        (tmp_path / name / "data").mkdir(parents=True)
        monkeypatch.chdir(tmp_path / name)
        loaded_tasks.load_task("listops", "data")
        loaded_tasks.load_task("listops", pathlib.Path("data"))
    expected = [str(tmp_path / name / "data") for name in ("one", "other")]
    assert [data_dir for _, data_dir in made] == expected


def test_changed_files_in_linked_folders_are_noticed(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(
        loaded_tasks.tasks, "get", lambda *a, **_: made.append(a)
    )
    (tmp_path / "far").mkdir()
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "class").symlink_to(tmp_path / "far")
    loaded_tasks.load_task("near", source=str(tmp_path / "near"))
    (tmp_path / "far" / "new.png").write_bytes(b"1")
    loaded_tasks.load_task("near", source=str(tmp_path / "near"))
    assert len(made) == 2


def test_only_the_tasks_used_last_are_kept(monkeypatch):
    made = []
    monkeypatch.setattr(loaded_tasks, "_loaded", {})
    monkeypatch.setattr(
        loaded_tasks.tasks, "get", lambda *a, **_: made.append(a)
    )
    names = [f"task{n}" for n in range(loaded_tasks._MOST + 1)]
    for name in [*names[:-1], names[0], names[-1], names[0], names[1]]:
        loaded_tasks.load_task(name)
    assert [name for name, _ in made] == [*names, names[1]]
