"""Digests that show whether a run's tokens are complete, and of its text."""

import hashlib
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from keras_fpt import files
from keras_fpt.files import json_files

MANIFEST = "manifest.json"
TOKENS = "tokens.bin"
FILES = (TOKENS, "vocabulary.json", "merges.txt")


def write_manifest(work: str, texts: Sequence[str]) -> None:
    """Writes the digests of a run's tokens, tokenizer and text.

    Args:
        work: the run's folder `training/`, which contains the tokens.
        texts: paths of the text files.
    """
    files.write_text(
        os.path.join(work, MANIFEST),
        json.dumps(_describe(work, texts), indent=2) + "\n",
    )


def has_manifest(work: str) -> bool:
    """Whether a run has a manifest; those of earlier versions have none."""
    return os.path.isfile(os.path.join(work, MANIFEST))


def check_unchanged(work: str, texts: Sequence[str]) -> None:
    """Checks that a run's tokens and text are as when it started.

    Args:
        work: the run's folder `training/`.
        texts: paths of the text files, which may have moved.

    Raises:
        ValueError: a file is cut off, or has changed.
    """
    if not has_manifest(work):
        return
    saved = json_files.read_object(os.path.join(work, MANIFEST))
    found = _describe(work, texts)
    if found["text"] != saved.get("text"):
        raise ValueError(
            f"The text has changed since the run in `{os.path.dirname(work)}` "
            "started, so the rest of it would be trained on other tokens. Give "
            "the earlier text, or choose another output folder."
        )
    for name in FILES:
        if found.get(name) != saved.get(name):
            raise ValueError(
                f"`{os.path.join(work, name)}` is damaged: it has "
                f"{found['bytes'][name]:,} bytes and other content than when "
                f"it was written, with {saved.get('bytes', {}).get(name)} "
                "bytes. Delete the folder and start again."
            )


def _describe(work: str, texts: Sequence[str]) -> dict[str, Any]:
    paths = {name: pathlib.Path(work, name) for name in FILES}
    joined = "\n".join(_digest(path) for path in texts)
    return {
        "text": hashlib.sha256(joined.encode()).hexdigest(),
        "bytes": {name: path.stat().st_size for name, path in paths.items()},
        **{name: _digest(path) for name, path in paths.items()},
    }


def _digest(path: str | os.PathLike[str]) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
