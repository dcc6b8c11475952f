"""A database that is away for a while, or whose address is wrong."""

import optuna
import pytest
import sqlalchemy.exc

from keras_fpt.studies import database_address, optuna_studies
from keras_fpt.studies.database_retries import DatabaseRetries

pytestmark = pytest.mark.backend_free


def away():
    refused = OSError("connection to server failed: Connection refused")
    return sqlalchemy.exc.OperationalError("SELECT 1", {}, refused)


def wrapped():
    """As Optuna raises what fails as it commits."""
    error = optuna.exceptions.StorageInternalError("An exception is raised")
    error.__cause__ = away()
    return error


class Storage:
    """Fails for some seconds of a clock that only sleeping moves."""

    def __init__(self, seconds, make_error=away):
        self.seconds, self.make_error, self.now = seconds, make_error, 0.0

    def sleep(self, seconds):
        self.now += seconds

    def _read(self):
        if self.now < self.seconds:
            raise self.make_error()
        return "answer"

    def get(self):
        return self._read()

    def forget(self):
        raise KeyError("no such trial")


def patient(storage):
    retries = DatabaseRetries(
        "`db`", 60.0, clock=lambda: storage.now, sleep=storage.sleep
    )
    return retries.wrap(storage)


@pytest.mark.parametrize("make_error", [away, wrapped])
def test_it_is_waited_for(make_error):
    storage = patient(Storage(30, make_error))
    assert storage.get() == "answer"
    assert 30 <= storage.now < 32


@pytest.mark.parametrize("make_error", [away, wrapped])
def test_after_a_minute_one_sentence_says_so(make_error):
    storage = patient(Storage(1e9, make_error))
    message = "`db` did not answer for 60 seconds: .*refused. Repeat"
    with pytest.raises(ConnectionError, match=message):
        storage.get()
    assert 60 <= storage.now < 62


def test_other_errors_are_raised_at_once():
    storage = patient(Storage(0))
    with pytest.raises(KeyError):
        storage.forget()
    assert storage.now == 0
    storage.seconds, storage.make_error = 5, lambda: ValueError("no")
    with pytest.raises(ValueError, match="no"):
        storage.get()


def test_a_locked_sqlite_file_is_waited_for(tmp_path, monkeypatch):
    path = tmp_path / "study.db"
    url = database_address.of_file(path)
    optuna_studies.open_storage(url, 4)
    blocker = sqlalchemy.create_engine(url).connect()
    monkeypatch.setattr(
        database_address.DatabaseAddress,
        "engine_arguments",
        lambda self: {"connect_args": {"timeout": 0.05}},
    )
    monkeypatch.setattr(
        optuna_studies, "DatabaseRetries", lambda shown: retries
    )
    released = []

    def sleep(seconds):
        released.append(seconds)
        blocker.rollback()

    retries = DatabaseRetries("`db`", sleep=sleep)
    storage = optuna_studies.open_storage(url, 4)
    blocker.exec_driver_sql("BEGIN EXCLUSIVE")
    study = optuna.create_study(storage=storage, study_name="one")
    study.enqueue_trial({"x": 1})
    assert released and len(study.trials) == 1


@pytest.mark.parametrize(
    "name", ["plain", "worth it?", "a{b}c", "100%41", "x#y", "ü", "a+b;c&d=1"]
)
def test_a_file_of_any_name_is_where_it_should_be(tmp_path, name):
    (tmp_path / name).mkdir()
    url = database_address.of_file(tmp_path / name / "study.db")
    optuna_studies.open_storage(url, 4)
    assert (tmp_path / name / "study.db").is_file()
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert f"{name}/study.db" in database_address.parse(url).shown


ADDRESSES = [
    "postgresql+psycopg://me:S3CRET@127.0.0.1:1/db",
    "postgresql+psycopg://me:S3CR/ET@127.0.0.1:1/db",
    "postgresql+psycopg://127.0.0.1:1/db?user=me&password=S3CRET",
    "postgresql+psycopg://me:S3CRET@127.0.0.1:1/db?nonsense=S3CRET",
    "postgresql+psycopg://me:S3CRET@127.0.0.1:port/db",
    "postgres:me:S3CRET@127.0.0.1/db",
    "redis://me:S3CRET@127.0.0.1:1",
    "mysql://me:S3CRET@127.0.0.1:1/db",
    "nonsense",
    "sqlite:////no/such/folder/study.db",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_bad_address_is_one_sentence_without_its_password(address):
    with pytest.raises((ValueError, ConnectionError, ImportError)) as caught:
        optuna_studies.open_storage(address, 4)
    assert "S3CR" not in str(caught.value)
    assert "\n" not in str(caught.value) and "database" in str(caught.value)
