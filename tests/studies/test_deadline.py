import math
import os
import signal
import time

import pytest

from keras_fpt.runs import Preempted
from keras_fpt.studies import deadline
from keras_fpt.studies.deadline import Deadline, OutOfTime, parse_seconds

pytestmark = pytest.mark.backend_free


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("2h", 7200), ("0.5m", 30)],
)
def test_times_in_words(text, seconds):
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "10", "-1m", "0s", "nans", "5 days"])
def test_what_is_no_time(text):
    with pytest.raises(ValueError, match="a time such as 90s, 10m or 2h"):
        parse_seconds(text)


def work():
    while True:
        time.sleep(0.01)


def test_work_is_broken_off():
    done = 0
    with pytest.raises(OutOfTime), Deadline(0.3).enforced():
        while True:
            time.sleep(0.01)
            done += 1
    assert done > 0


def test_work_that_has_lost_the_interrupt_gets_another(monkeypatch):
    monkeypatch.setattr(deadline, "_AGAIN_SECONDS", 0.1)

    with pytest.raises(OutOfTime), Deadline(0.2).enforced():
        with pytest.raises(Preempted):  # As Python does in a destructor.
            work()
        work()


def test_work_that_ends_in_time_is_not_interrupted():
    deadline = Deadline(60)
    before = signal.getsignal(signal.SIGTERM)
    with deadline.enforced(most=30):
        time.sleep(0.01)
    assert signal.getsignal(signal.SIGTERM) == before
    assert 0 < deadline.left < 60


def test_there_is_no_time_left():
    entered = False
    with pytest.raises(OutOfTime), Deadline(10).enforced(reserve=11):
        entered = True
    assert not entered


def test_without_an_end():
    deadline = Deadline()
    with deadline.enforced():
        assert deadline.left == deadline.earlier(5).left == math.inf


def test_other_requests_to_stop_are_raised():
    with pytest.raises(Preempted), Deadline(60).enforced():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
