"""Fixtures of tests that read the same data from memory and from disk."""

import pytest

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data import sequences
from keras_fpt.tasks.user_data.tables import table_files


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_FPT_HOME", str(tmp_path / "home"))


@pytest.fixture
def both(monkeypatch):
    """Calls a function with data in memory, and then with data on disk."""

    def call(make):
        in_memory = make()
        monkeypatch.setattr(sequences, "MAX_BYTES_IN_MEMORY", 1000)
        monkeypatch.setattr(sequence_store, "CHUNK_BYTES", 5000)
        monkeypatch.setattr(table_files, "ROWS_PER_CHUNK", 300)
        return in_memory, make()

    return call
