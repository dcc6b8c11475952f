"""Small files of NumPy arrays by their names."""

import io
import os
import zipfile
from collections.abc import Mapping

import numpy as np

from keras_fpt.files import atomic


def write(
    path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]
) -> None:
    """Writes arrays as one `.npz` file, atomically."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    atomic.write_bytes(path, buffer.getvalue())


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray] | None:
    """Reads what `write` wrote.

    Returns:
        Dict from names to arrays; `None` if there is no such file.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"`{path}` is damaged: {error}") from error
