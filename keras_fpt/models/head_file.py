"""Files of a model's new layers: adapters, and the heads of presets."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

import keras
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
    path: str | os.PathLike[str], exact: str | None = None
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays (finite floats) and the header of a file.

    Args:
        path: the file.
        exact: string, how the names of arrays begin that may be integers too.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is damaged, or an array contains something else.
    """
    with _errors_name(path):
        arrays, header = checkpoints.read_arrays(path)
    floats = {
        name: array
        for name, array in arrays.items()
        if array.dtype.kind not in "iu"
        or not (exact and name.startswith(exact))
    }
    require_finite(floats, path)
    return arrays, header if isinstance(header, dict) else {}


def require_finite(
    arrays: Mapping[str, np.ndarray],
    path: str | os.PathLike[str],
    dtype: str = "float32",
) -> None:
    """Raises a `ValueError` unless arrays hold finite floating-point numbers.

    Args:
        arrays: dict of name to NumPy array.
        path: the file that they are in, or would be in.
        dtype: string, the type in which the numbers must be finite.
    """
    # NumPy's finite check knows no bfloat16, whose range is float32's.
    dtype = "float32" if dtype == "bfloat16" else dtype
    for name, array in arrays.items():
        if not keras.backend.is_float_dtype(array.dtype.name):
            raise ValueError(
                f"`{path}` is damaged: expected `{name}` to hold "
                f"floating-point numbers, but its type is {array.dtype}."
            )
        with np.errstate(over="ignore"):
            is_finite = np.isfinite(array.astype(dtype)).all()
        if not is_finite:
            raise ValueError(
                f"The weights `{name}` of `{path}` hold NaN or infinity, or a "
                f"number too large for {dtype}. Every output would be "
                "meaningless; train again with a lower learning rate."
            )


@contextlib.contextmanager
def _errors_name(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turns what a damaged file raises into a `ValueError` that names it."""
    try:
        yield
    except (SafetensorError, RecursionError, TypeError, ValueError) as error:
        if f"`{path}`" in str(error):
            raise
        raise ValueError(f"`{path}` is damaged: {error}") from error
