"""Processes that agree on a step, and signals that end in bounded time."""

import os
import signal
import threading
import time

import pytest

from keras_fpt import distribution
from keras_fpt.runs import Preempted, StopSignals, signals, stop_agreement
from keras_fpt.runs.stop_agreement import StopAgreement

pytestmark = pytest.mark.backend_free


class Processes:
    """Threads that train in step, in place of processes."""

    num_processes = 3

    def __init__(self):
        self.barrier = threading.Barrier(self.num_processes, timeout=10)
        self.values = {}

    @property
    def process_index(self):
        return int(threading.current_thread().name)

    def total(self, value):
        self.values[self.process_index] = value
        self.barrier.wait()
        total = sum(self.values.values())
        self.barrier.wait()
        return total


def run(monkeypatch, asked, steps, seconds_per_step, due=()):
    """The step after which each process stops, and its agreements."""
    processes = Processes()
    monkeypatch.setattr(distribution, "_current", processes)
    stopped, agreements = {}, []

    def train():
        index = processes.process_index
        now = [0.0]
        agreement = StopAgreement(5, clock=lambda: now[0])
        for step in range(6, steps + 6):
            # The clocks of processes differ.
            now[0] += seconds_per_step * (1 + index)
            processes.barrier.wait()  # The gradients are exchanged.
            before = agreement._last
            is_asked = index in asked and step >= asked[index]
            if agreement.is_reached(step, is_asked, step in due):
                stopped[index] = step
                return
            if index == 0 and agreement._last != before:
                agreements.append(step)

    threads = [
        threading.Thread(target=train, name=str(index)) for index in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return stopped, agreements


def test_all_stop_after_the_same_step_if_one_is_asked(monkeypatch):
    stopped, _ = run(monkeypatch, {2: 20}, steps=100, seconds_per_step=0.2)
    assert len(set(stopped.values())) == 1 and len(stopped) == 3
    # Within a second of the first process, of five steps.
    assert 20 <= stopped[0] <= 25


def test_they_agree_about_once_a_second(monkeypatch):
    stopped, agreements = run(monkeypatch, {}, steps=50, seconds_per_step=0.1)
    assert not stopped and agreements == [6, 16, 26, 36, 46]


def test_they_agree_where_a_run_is_evaluated(monkeypatch):
    stopped, agreements = run(
        monkeypatch, {1: 12}, steps=50, seconds_per_step=0.1, due=(12,)
    )
    assert set(stopped.values()) == {12} and agreements == [6]


def test_the_sum_fits_into_32_bits():
    assert 1000 * (stop_agreement._ASKED + stop_agreement._MOST_STEPS) < 2**31


def test_a_process_that_was_not_asked_stops_with_the_others():
    stop_signals = StopSignals()
    stop_signals.defer()
    with pytest.raises(Preempted):
        stop_signals.stop()
    stop_signals.pending = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        stop_signals.stop()


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has none")
def test_a_closed_terminal_stops_as_a_scheduler_does():
    # `nohup` starts processes that ignore it, and they still do so.
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with StopSignals().watched(), pytest.raises(Preempted):
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_ends_a_process_that_waits_for_ever(monkeypatch, capfd):
    ended = threading.Event()
    status = []

    def end(code):
        status.append(code)
        ended.set()

    monkeypatch.setattr(signals.os, "_exit", end)
    stop_signals = StopSignals(patience=0.05)
    with stop_signals.watched():
        stop_signals.defer()
        os.kill(os.getpid(), signal.SIGTERM)
        assert ended.wait(5)
    assert status == [75] and "--resume" in capfd.readouterr().err


def test_a_signal_that_is_obeyed_ends_nothing(monkeypatch):
    ended = []
    monkeypatch.setattr(signals.os, "_exit", ended.append)
    before = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(before)
    with pytest.raises(Preempted), StopSignals(patience=0.1).watched():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    time.sleep(0.2)
    assert not ended
    assert signal.set_wakeup_fd(before) == before
