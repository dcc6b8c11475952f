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


def test_a_silent_process_loses_the_folder_and_notices(tmp_path):
    with folder_lock.lock(tmp_path) as suspended:
        with folder_lock.lock(tmp_path, take_over=True) as taker:
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
    with folder_lock.lock(tmp_path, take_over=True) as taker:
        suspended.__exit__(None, None, None)
        taker.check()
        with (
            pytest.raises(BlockingIOError),
            folder_lock.lock(tmp_path),
        ):
            pass
