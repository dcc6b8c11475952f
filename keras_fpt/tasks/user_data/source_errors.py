"""Errors that say which file they are about."""

import functools


def names_source(read):
    """Makes a function of a path put it before messages that lack it."""

    @functools.wraps(read)
    def wrapper(path, *args, **kwargs):
        try:
            return read(path, *args, **kwargs)
        except ValueError as error:
            if f"`{path}" in str(error):
                raise
            raise ValueError(f"`{path}`: {error}") from error

    return wrapper
