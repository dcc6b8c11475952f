"""Lets all processes of a run stop after the same step."""

import time
from collections.abc import Callable

from keras_fpt import distribution

# How long a process that is asked to stop may train before the others know.
_SECONDS = 1.0
_MOST_STEPS = 1000
# The sums stay below 2^31 in 1,000 processes, since JAX has 32-bit integers.
_ASKED = 2**20


class StopAgreement:
    """Agrees on a step after which all processes stop, about once a second.

    Processes wait for each other in each step, so one that stopped alone would
    leave the others waiting. Each agreement decides after how many steps the
    next one follows, by the first process's clock, so that all of them take
    part in the same.

    Args:
        step: int, the step that training starts from.
        clock: function that returns seconds; for tests.
    """

    def __init__(
        self, step: int, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._clock = clock
        self._last, self._next = step, step + 1
        self._began = clock()

    def is_reached(self, step: int, is_asked: bool, is_due: bool) -> bool:
        """Whether all processes stop after this step.

        Every process calls it after every step.

        Args:
            step: int, the number of steps that were trained.
            is_asked: bool, whether this process was asked to stop.
            is_due: bool, the same in all processes: whether to agree now in
                any case.
        """
        if step < self._next and not is_due:
            return False
        now = self._clock()
        per_step = (now - self._began) / max(1, step - self._last)
        steps = round(_SECONDS / max(per_step, _SECONDS / _MOST_STEPS))
        own = max(1, steps) if distribution.is_first_process() else 0
        total = distribution.total(own + (_ASKED if is_asked else 0))
        self._last, self._next = step, step + total % _ASKED
        self._began = now
        return total >= _ASKED
