"""Where a study's files lie, and that it keeps to its data."""

import pytest

from keras_fpt.runs import RunConfig, resolve, run_store
from keras_fpt.studies import (
    SweepConfig,
    database_address,
    optuna_studies,
    run_sweep,
    study_folder,
)

pytestmark = pytest.mark.backend_free


ROWS = "u,v,kind\n" + "".join(
    f"{n % 7},{n % 3},{'ab'[n % 2]}\n" for n in range(60)
)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "place" / "rows.csv"
    path.parent.mkdir()
    path.write_text(ROWS)
    path.with_name("later.csv").write_text("u,v,kind\n8,1,a\n9,2,b\n")
    return path


@pytest.fixture
def config(table, preset):
    options = {
        "label_column": "kind",
        "test": str(table.with_name("later.csv")),
    }
    run = RunConfig(str(table), preset, options=options)
    return SweepConfig(run.with_settings(steps=1, batch_size=8))


@pytest.fixture
def no_worker(monkeypatch):
    def stop(*args):
        raise InterruptedError

    monkeypatch.setattr("keras_fpt.studies.sweep._Processes", stop)


def test_a_sweep_on_a_table_that_has_changed_starts_no_worker(
    table, config, no_worker, tmp_path
):
    folder = tmp_path / "sweep"
    for _ in range(2):
        with pytest.raises(InterruptedError):
            run_sweep(config, folder)
    table.write_text(ROWS + "1,1,a\n")
    with pytest.raises(ValueError, match="data has changed since the sweep"):
        run_sweep(config, folder)
    # Studies of earlier versions say nothing about their data.
    (folder / study_folder.DATA).unlink()
    with pytest.raises(InterruptedError):
        run_sweep(config, folder)


def test_a_study_moves_with_its_data(table, config, no_worker, tmp_path):
    with pytest.raises(InterruptedError):
        run_sweep(config, table.parent / "sweep")
    name = run_store.run_name(resolve(config.run))
    place = table.parent.rename(tmp_path / "elsewhere")
    saved = SweepConfig.read(place / "sweep/sweep.json").run
    assert saved.source == str(table)
    located = study_folder.locate(saved, place / "sweep")
    assert located.source == str(place / "rows.csv")
    assert located.options["test"] == str(place / "later.csv")
    assert run_store.run_name(resolve(located)) == name
    # Where nothing else is known, the paths are those of the description.
    (place / "sweep" / study_folder.DATA).unlink()
    assert study_folder.locate(saved, place / "sweep") == saved


@pytest.mark.parametrize("name", ["worth it?", "a%20b#c", "{SCHEMA_VERSION}"])
def test_the_database_is_in_the_folder_whatever_its_name(tmp_path, name):
    (tmp_path / name).mkdir()
    address = database_address.of_file(tmp_path / name / "study.db")
    optuna_studies.open_storage(address, 60)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "study.db").stat().st_size


def test_a_study_folder_with_links_is_not_written_to(tmp_path):
    (tmp_path / "victim").write_text("mine")
    study = tmp_path / "study"
    study.mkdir()
    (study / "worker-1.log").symlink_to(tmp_path / "victim")
    with pytest.raises(FileExistsError, match="worker-1.log` is a link"):
        study_folder.initialize(study, "sweep.json", "{}", "sweep")
