"""File names made of any text, and texts that are paths."""

import os
import pathlib
import re

# File systems allow 255 bytes, and callers add an ending and a number.
_MAX_BYTES = 180


def safe_name(text: str) -> str:
    """A file's name, or a part of one, made of any text.

    Characters that separate folders, or that some file systems refuse, become
    dashes, and what is too long is cut off. Different texts may have the same
    name.

    Args:
        text: string, e.g. the name of a task.

    >>> safe_name("../listops:bracketless")
    '..-listops-bracketless'
    """
    name = re.sub(r"[^\w.-]", "-", text)
    return name.encode()[:_MAX_BYTES].decode(errors="ignore")


def looks_like_path(text: str | os.PathLike[str]) -> bool:
    """Whether a text is written like a path, whether or not it exists.

    >>> [looks_like_path(text) for text in ("digits", "my.csv", "data/mine")]
    [False, True, True]
    """
    path = pathlib.Path(text)
    return len(path.parts) > 1 or str(text).startswith(".") or path.suffix != ""


def without_doubled_words(name: str) -> str:
    """The name of an example, for people to read.

    >>> without_doubled_words("person person 20, day 3")
    'person 20, day 3'
    """
    return re.sub(r"(?:^|(?<=, ))([^\s,]+) (?=\1[ _-])", "", name)
