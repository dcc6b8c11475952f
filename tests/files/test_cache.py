import pathlib

import numpy as np
import pytest
from safetensors.numpy import save_file

from keras_fpt.files import cache

pytestmark = pytest.mark.backend_free

ARRAYS = {
    "tokens": np.arange(7, dtype=np.uint8),
    "offsets": np.array([[0, 3], [3, 7]]),
    "none": np.zeros((0, 2), np.float32),
}


class Maker:
    """Makes `ARRAYS` and counts how often."""

    calls = 0

    def __call__(self):
        self.calls += 1
        return ARRAYS


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_FPT_HOME", str(tmp_path / "home"))
    # The tests write thousands of files, none of which must outlive a crash.
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    return tmp_path / "home"


@pytest.fixture
def make():
    return Maker()


def assert_same(arrays):
    assert arrays.keys() == ARRAYS.keys()
    for name, expected in ARRAYS.items():
        assert arrays[name].dtype == expected.dtype
        np.testing.assert_array_equal(arrays[name], expected)


def test_makes_once_and_reads_afterwards(home, make, capsys):
    assert_same(cache.cached("some", make))
    assert_same(cache.cached("some", make))
    assert make.calls == 1
    assert [file.name for file in home.iterdir()] == ["some.safetensors"]
    assert capsys.readouterr().out == ""


def test_names_are_separate_files(home, make):
    cache.cached("one", make)
    cache.cached("two", make)
    assert make.calls == 2


def test_home_is_in_the_users_cache_by_default(monkeypatch):
    monkeypatch.delenv("KERAS_FPT_HOME", raising=False)
    assert cache.home() == pathlib.Path.home() / ".cache" / "keras_fpt"


def test_any_flipped_byte_is_noticed(home, make, capsys):
    cache.cached("some", make)
    path = home / "some.safetensors"
    good = path.read_bytes()
    for place in range(len(good)):
        for flip in (1, 32, 128):
            bad = bytearray(good)
            bad[place] ^= flip
            path.write_bytes(bad)
            assert_same(cache.cached("some", make))
    # Padding between the header and the arrays may change freely.
    assert make.calls > 3 * len(good) - 30
    assert f"Making `{path}` again: " in capsys.readouterr().out


def test_a_file_that_was_cut_off_is_made_again(home, make, capsys):
    cache.cached("some", make)
    path = home / "some.safetensors"
    good = path.read_bytes()
    for length in range(len(good)):
        path.write_bytes(good[:length])
        assert_same(cache.cached("some", make))
        assert make.calls == length + 2
        assert capsys.readouterr().out.startswith(f"Making `{path}` again: ")
    assert path.read_bytes() == good


def test_a_foreign_file_is_replaced(home, make, capsys):
    home.mkdir()
    save_file(ARRAYS, home / "some.safetensors")
    assert_same(cache.cached("some", make))
    assert "keras-fpt did not write it" in capsys.readouterr().out


def test_two_that_make_at_once_do_not_disturb_each_other(home, make):
    def slow():
        assert_same(cache.cached("some", make))
        return ARRAYS

    assert_same(cache.cached("some", slow))
    assert_same(cache.cached("some", make))
    assert make.calls == 1
    assert [file.name for file in home.iterdir()] == ["some.safetensors"]


def test_a_failing_maker_leaves_nothing_behind(home):
    def fail():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.cached("some", fail)
    assert list(home.iterdir()) == []


def test_a_folder_that_may_not_be_written_to(home, make, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(
        PermissionError, match="Set KERAS_FPT_HOME to a writable folder"
    ):
        cache.cached("some", make)
    assert make.calls == 0


def test_a_folder_that_cannot_be(home, make):
    home.write_text("a file")
    with pytest.raises(
        OSError, match="Set KERAS_FPT_HOME to a writable folder"
    ) as info:
        cache.cached("some", make)
    assert str(home) in str(info.value)
    assert make.calls == 0


def test_a_file_that_cannot_be_written(home, make):
    (home / "some.safetensors").mkdir(parents=True)
    with pytest.raises(
        OSError, match="Set KERAS_FPT_HOME to a writable folder"
    ):
        cache.cached("some", make)
