"""Files that hold a model's new layers: adapters, and the heads of presets."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from safetensors import SafetensorError

from keras_fpt.files import checkpoints


def require_built(model: Any) -> None:
    """Raises a `ValueError` where a model has no input layer to save."""
    if not model.built:
        raise ValueError(
            "The model has no input layer yet, so there is nothing to save: "
            "fit it first."
        )


def read(
    path: str | os.PathLike[str],
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the header of a file, which are not checked further.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is damaged.
    """
    with _errors_name(path):
        arrays, header = checkpoints.read_arrays(path)
    return arrays, header if isinstance(header, dict) else {}


@contextlib.contextmanager
def _errors_name(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turns what a damaged file raises into a `ValueError` that names it."""
    try:
        yield
    except (SafetensorError, RecursionError, TypeError, ValueError) as error:
        if f"`{path}`" in str(error):
            raise
        raise ValueError(f"`{path}` is damaged: {error}") from error
