"""Retries calls to a database that is unavailable for a while."""

import functools
import inspect
import threading
import time
from collections.abc import Callable
from typing import Any

PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 1.0


class DatabaseRetries:
    """Repeats calls that fail because the database is unavailable or locked.

    Args:
        shown: string, what to call the database in errors.
        seconds: float, how long to wait for it.
        clock: function that returns seconds; for tests.
        sleep: function of seconds; for tests.
    """

    def __init__(
        self,
        shown: str,
        seconds: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.shown, self.seconds = shown, seconds
        self._clock, self._sleep = clock, sleep
        self._thread = threading.local()

    def wrap(self, storage: Any) -> Any:
        """Makes all methods of a storage wait for its database.

        Args:
            storage: an Optuna storage, or any object with methods.

        Returns:
            The storage.
        """
        for name, method in inspect.getmembers(storage, inspect.ismethod):
            if not name.startswith("__"):
                setattr(storage, name, functools.partial(self.call, method))
        return storage

    def call(self, function: Callable, *args: Any, **kwargs: Any) -> Any:
        """Calls a function, again while the database is unavailable.

        Raises:
            ConnectionError: it was unavailable for longer than `seconds`.
        """
        if getattr(self._thread, "is_waiting", False):
            # The call of this one is repeated as a whole.
            return function(*args, **kwargs)
        began = self._clock()
        self._thread.is_waiting = True
        try:
            while True:
                try:
                    return function(*args, **kwargs)
                except Exception as error:
                    if not is_away(error):
                        raise
                    if self._clock() - began >= self.seconds:
                        raise ConnectionError(
                            f"The database {self.shown} did not answer for "
                            f"{self.seconds:.0f} seconds: {reason(error)}. "
                            "Repeat the command, once it is available again, "
                            "to continue."
                        ) from error
                    self._sleep(_PAUSE_SECONDS)
        finally:
            self._thread.is_waiting = False


def is_away(error: BaseException | None) -> bool:
    """Whether an error means that a database is not available, or locked."""
    import sqlalchemy.exc

    while error is not None:
        if isinstance(
            error,
            sqlalchemy.exc.OperationalError
            | sqlalchemy.exc.InterfaceError
            | sqlalchemy.exc.PendingRollbackError
            | sqlalchemy.exc.TimeoutError,
        ) or getattr(error, "connection_invalidated", False):
            return True
        error = error.__cause__ or error.__context__
    return False


def reason(error: BaseException) -> str:
    """The message of a database's driver, in one line."""
    cause: BaseException | None = error
    while cause is not None:
        error = getattr(cause, "orig", None) or error
        cause = cause.__cause__ or cause.__context__
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")
