"""Error messages that begin with the path of the file they are about."""

import functools
from collections.abc import Callable
from typing import Any


def prefix_errors_with_path(read: Callable) -> Callable:
    """Decorates a function of a path, so that its errors name the path.

    A `ValueError` whose message does not name the path yet gets it as a
    prefix.
    """

    @functools.wraps(read)
    def wrapper(path: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return read(path, *args, **kwargs)
        except ValueError as error:
            if f"`{path}" in str(error):
                raise
            raise ValueError(f"`{path}`: {error}") from error

    return wrapper
