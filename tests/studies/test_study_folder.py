"""Where a study's files lie, and that it keeps to its data."""

import pytest

from keras_fpt.runs import RunConfig
from keras_fpt.studies import (
    SweepConfig,
    database_address,
    optuna_studies,
    run_sweep,
    study_folder,
)

pytestmark = pytest.mark.backend_free


def test_other_data_of_the_same_name_is_refused(tmp_path):
    folder = tmp_path / "study"
    study_folder.initialize(folder, "study.json", '{"a": 1}', "sweep", "one")
    study_folder.initialize(folder, "study.json", '{"a": 1}', "sweep", "one")
    with pytest.raises(ValueError, match="data has changed since the sweep"):
        study_folder.initialize(folder, "study.json", '{"a": 1}', "sweep", "2")
    # Studies of earlier versions say nothing about their data.
    (folder / study_folder.DATA).unlink()
    study_folder.initialize(folder, "study.json", '{"a": 1}', "sweep", "2")


def test_a_sweep_on_a_table_that_has_changed_starts_no_worker(
    preset, tmp_path, monkeypatch
):
    table = tmp_path / "rows.csv"
    rows = "".join(f"{n % 7},{n % 3},{'ab'[n % 2]}\n" for n in range(60))
    table.write_text(f"u,v,kind\n{rows}")
    run = RunConfig(str(table), preset, options={"label_column": "kind"})
    config = SweepConfig(run.with_settings(steps=1, batch_size=8))

    def stop(*args):
        raise InterruptedError

    monkeypatch.setattr("keras_fpt.studies.sweep._Processes", stop)
    with pytest.raises(InterruptedError):
        run_sweep(config, tmp_path / "sweep")
    table.write_text(table.read_text() + "1,1,a\n")
    with pytest.raises(ValueError, match="data has changed since the sweep"):
        run_sweep(config, tmp_path / "sweep")


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
