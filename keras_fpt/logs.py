"""The package's logger, `keras_fpt`.

Messages go to standard output as they are, at level INFO and above. To silence
them: `logging.getLogger("keras_fpt").setLevel(logging.WARNING)`. To send them
elsewhere, add a handler to this logger before `keras_fpt` is imported. The
command line shows them through rich.
"""

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import Any

LOGGER = logging.getLogger("keras_fpt")


class _StandardOutput(logging.StreamHandler):
    """Writes to what is standard output at that time, as `print` does."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stdout


_DEFAULT = _StandardOutput()


def add_default_handler() -> None:
    """Shows messages, unless the program has already configured the logger."""
    if not LOGGER.handlers:
        LOGGER.addHandler(_DEFAULT)
        LOGGER.propagate = False
    if LOGGER.level == logging.NOTSET:
        LOGGER.setLevel(logging.INFO)


def replace_default_handler(handler: logging.Handler) -> None:
    """Shows messages in another way than on standard output.

    Args:
        handler: a `logging.Handler`.
    """
    LOGGER.removeHandler(_DEFAULT)
    LOGGER.addHandler(handler)


@contextlib.contextmanager
def only_warnings(name: str = LOGGER.name) -> Iterator[None]:
    """Silences a logger's information within the block.

    Args:
        name: string, `"keras_fpt"` or a room's, e.g. `"keras_fpt.runs"`.
    """
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(max(logging.WARNING, logger.getEffectiveLevel()))
    try:
        yield
    finally:
        logger.setLevel(before)
