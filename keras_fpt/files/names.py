"""File names made of text that may be anything."""

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
