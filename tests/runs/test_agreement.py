"""Processes that differ find out before the first step."""

import threading
import types

import pytest

from keras_fpt import distribution
from keras_fpt.runs import agreement

pytestmark = pytest.mark.backend_free


class Processes(threading.local):
    """As many threads as processes, which exchange sums."""

    index = 0

    def __init__(self, count, barrier, values):
        self.count, self.barrier, self.values = count, barrier, values

    def total(self, value):
        self.values[self.index] = value
        self.barrier.wait(60)
        result = sum(self.values.values())
        self.barrier.wait(60)
        return result

    def require(self, index, values, errors):
        self.index = index
        try:
            agreement.require(values)
        except ValueError as error:
            errors[index] = str(error)


def run(values, monkeypatch):
    """The error of each process that raised one."""
    count = len(values)
    processes = Processes(count, threading.Barrier(count), {})
    monkeypatch.setattr(distribution, "total", processes.total)
    monkeypatch.setattr(distribution, "num_processes", lambda: count)
    monkeypatch.setattr(
        distribution,
        "current",
        lambda: types.SimpleNamespace(
            num_processes=count, process_index=processes.index
        ),
    )
    errors = {}
    threads = [
        threading.Thread(target=processes.require, args=(i, each, errors))
        for i, each in enumerate(values)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return errors


RUN = {"learning_rate": 0.1, "seed": 0, "data": "d"}


def test_processes_that_agree_go_on(monkeypatch):
    assert run([RUN] * 3, monkeypatch) == {}


@pytest.mark.parametrize(
    ("other", "found"),
    [
        ({"seed": 1}, ("has seed=0.", "has seed=1.")),
        ({"data": "e"}, ("has data=d.", "has data=e.")),
        (
            {"seed": 1, "learning_rate": 0.2},
            ("learning_rate=0.1, seed=0.", "learning_rate=0.2, seed=1."),
        ),
        ({"new": 3}, ("has settings=", "data, new")),
    ],
)
def test_each_process_says_what_differs(monkeypatch, other, found):
    errors = run([RUN, RUN | other], monkeypatch)
    assert all(found[index] in errors[index] for index in range(2)), errors


def test_one_of_three_stops_all(monkeypatch):
    errors = run([RUN, RUN, RUN | {"seed": 3}], monkeypatch)
    assert "process 1 of 3 has seed=0" in errors[1]
    assert errors.keys() == {0, 1, 2}
