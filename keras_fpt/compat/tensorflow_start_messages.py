"""TensorFlow, absl and XLA write about themselves as they are imported.

They write to the file descriptor of standard error, regardless of Python's
streams, and the first lines regardless of TF_CPP_MIN_LOG_LEVEL as well, e.g.
"Could not find cuda drivers on your machine". Seen in TensorFlow 2.21.
"""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_NOISE = re.compile(
    r"WARNING: All log messages before absl::InitializeLog"
    r"|[IWE]\d{4} \d\d:\d\d:"
    r"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] "
    r"|To enable the following instructions: "
    r"|Skipping registering GPU devices"
)


@contextlib.contextmanager
def hidden() -> Iterator[int | None]:
    """Hides these messages while something is imported, and nothing else.

    What other libraries write is shown at the end, and all of it if the block
    ends with an error that the caller is not expected to explain.

    Yields:
        The file descriptor of standard error, for those who must write to it
        meanwhile; `None` if there is none.
    """
    if not os.environ.get(_LEVEL):
        os.environ[_LEVEL] = "3"
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # It is closed.
        yield None
        return
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        shown: Callable[[bytes], bytes] = without_noise
        try:
            yield saved
        except Exception:
            raise
        except BaseException:
            shown = lambda text: text  # noqa: E731
            raise
        finally:
            if sys.stderr is not None:
                with contextlib.suppress(OSError, ValueError):
                    sys.stderr.flush()
            os.dup2(saved, 2)
            messages.seek(0)
            with contextlib.suppress(OSError):
                os.write(saved, shown(messages.read()))
            os.close(saved)


def without_noise(messages: bytes) -> bytes:
    r"""The lines that are not about the start of TensorFlow, absl or XLA.

    >>> without_noise(b"I0000 00:00:1.2 3 cudart_stub.cc:31] No GPU.\nHelp!\n")
    b'Help!\n'
    """
    lines = messages.splitlines(keepends=True)
    return b"".join(
        line
        for line in lines
        if not _NOISE.match(line.decode(errors="replace"))
    )
