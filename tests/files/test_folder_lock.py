import pytest

from keras_fpt.files import folder_lock

pytestmark = pytest.mark.backend_free


def test_one_process_at_a_time(tmp_path):
    with folder_lock.lock(tmp_path / "run") as held:
        with (
            pytest.raises(BlockingIOError, match="is writing a run to .*pid"),
            folder_lock.lock(tmp_path / "run"),
        ):
            pass
        held.check()
    assert not (tmp_path / "run" / folder_lock.LOCK).exists()


def holder_of(folder):
    """The process that holds a folder, as one that wants it sees it."""
    with pytest.raises(folder_lock.Busy) as busy, folder_lock.lock(folder):
        pass
    return busy.value.holder


def name_holder(folder, name):
    """Gives the holder of a folder the name of a process of its own."""
    (folder / folder_lock.LOCK).write_text(f"{name}\nmachine\n")


def test_a_silent_process_loses_the_folder_and_notices(tmp_path):
    with folder_lock.lock(tmp_path) as suspended:
        holder = holder_of(tmp_path)
        assert holder == folder_lock.process_name()
        with folder_lock.lock(tmp_path, take_over=holder) as taker:
            with pytest.raises(folder_lock.TakenOver, match="writes nothing"):
                suspended.check()
            taker.check()
        # The taker has ended and removed its file; nobody else holds it.
        with pytest.raises(folder_lock.TakenOver):
            suspended.check()
        with folder_lock.lock(tmp_path) as third:
            third.check()
            with pytest.raises(folder_lock.TakenOver):
                suspended.check()


def test_the_loser_leaves_the_takers_lock_in_place(tmp_path):
    suspended = folder_lock.lock(tmp_path)
    suspended.__enter__()
    with folder_lock.lock(tmp_path, take_over=holder_of(tmp_path)) as taker:
        suspended.__exit__(None, None, None)
        taker.check()
        with (
            pytest.raises(BlockingIOError),
            folder_lock.lock(tmp_path),
        ):
            pass


def test_only_one_of_two_takes_over_the_folder(tmp_path):
    with folder_lock.lock(tmp_path):
        name_holder(tmp_path, 1)
        silent = holder_of(tmp_path)
        with folder_lock.lock(tmp_path, take_over=silent) as winner:
            # Also before it has written its name.
            for name in ("2\nmachine", ""):
                (tmp_path / folder_lock.LOCK).write_text(name)
                with (
                    pytest.raises(folder_lock.Busy),
                    folder_lock.lock(tmp_path, take_over=silent),
                ):
                    pass
            winner.check()
        assert not list(tmp_path.iterdir())


def test_take_overs_come_one_after_another(tmp_path, monkeypatch):
    find_holder = folder_lock._holder

    def compete(path):
        found = find_holder(path)
        if found == silent:  # Another one has come just as far.
            monkeypatch.setattr(folder_lock, "_holder", find_holder)
            with (
                pytest.raises(folder_lock.Busy),
                folder_lock.lock(tmp_path, take_over=silent),
            ):
                pass
        return found

    with folder_lock.lock(tmp_path):
        name_holder(tmp_path, 1)
        silent = holder_of(tmp_path)
        monkeypatch.setattr(folder_lock, "_holder", compete)
        with folder_lock.lock(tmp_path, take_over=silent) as winner:
            winner.check()
