"""Error messages that begin with the path of the file they are about."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

_Reader = TypeVar("_Reader", bound=Callable)


def prefix_errors_with_path(read: _Reader) -> _Reader:
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

    return cast(_Reader, wrapper)
