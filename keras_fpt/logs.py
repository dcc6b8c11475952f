"""The package's logger, `keras_fpt`.

Messages go to standard output as they are, at level INFO and above. To silence
them: `logging.getLogger("keras_fpt").setLevel(logging.WARNING)`. To send them
elsewhere, add a handler to this logger before `keras_fpt` is imported. The
command line shows them through rich.
"""

import contextlib
import errno
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any

LOGGER = logging.getLogger("keras_fpt")


class StandardStream:
    """Standard output or error, whose loss does not end the program.

    It is the current value of `sys.stdout` or `sys.stderr`. Once its reader is
    gone, or its disk is full, what is written is dropped. Characters that its
    encoding lacks become escapes.

    Args:
        name: string, `"stdout"` or `"stderr"`.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(getattr(sys, self.name), attribute)

    def write(self, text: str) -> int:
        """Writes some text, or drops it."""
        stream = getattr(sys, self.name)
        if stream is not None:
            encoding = getattr(stream, "encoding", None) or "utf-8"
            encoded = text.encode(encoding, "backslashreplace")
            with self._drop_if_lost(stream):
                stream.write(encoded.decode(encoding))
        return len(text)

    def flush(self) -> None:
        """Flushes what was written."""
        stream = getattr(sys, self.name)
        if stream is not None:
            with self._drop_if_lost(stream):
                stream.flush()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        stream = getattr(sys, self.name)
        return stream is not None and stream.isatty()

    @contextlib.contextmanager
    def _drop_if_lost(self, stream: Any) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EINTR):
                return  # The reader is slow, not gone.
            # What the stream still holds is written once more when Python
            # ends, which would fail again.
            with contextlib.suppress(OSError, ValueError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())
                os.close(null)


class _StandardOutput(logging.StreamHandler):
    """Writes to the current standard output, as `print` does."""

    def __init__(self) -> None:
        super().__init__(StandardStream("stdout"))


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
        name: string, `"keras_fpt"` or a subpackage's, e.g. `"keras_fpt.runs"`.
    """
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(max(logging.WARNING, logger.getEffectiveLevel()))
    try:
        yield
    finally:
        logger.setLevel(before)
