"""Reads a GGUF file, with errors that name the file."""

import math
import os
import re
from typing import Any

import numpy as np

from keras_fpt.compat import gguf_reads_past_end

# The errors of the gguf package on damaged files.
_UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
    MemoryError,
    RecursionError,  # lists in lists in lists
)


class GGUFFile:
    """The metadata and the tensors of a GGUF file.

    Args:
        path: string, the file.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it cannot be read, or is one part of several.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        if not os.path.isfile(path):
            raise FileNotFoundError(f"There is no GGUF file `{path}`.")
        try:
            reader = gguf_reads_past_end.open_checked(path)
            # The fields of the tokenizer are large and not needed here.
            self.fields = {
                key: field.contents()
                for key, field in reader.fields.items()
                if not key.startswith("tokenizer.")
            }
        except _UNREADABLE as error:
            raise self.error(
                "it is not a GGUF file, or cut off, damaged, or newer than "
                f"the installed gguf package. Its error: {error}"
            ) from error
        if reader.byte_order == "S":
            raise self.error("it has the other byte order than this machine.")
        self.tensors = {tensor.name: tensor for tensor in reader.tensors}
        named = re.search(r"-\d{5}-of-(\d{5})\.gguf$", path)
        parts = int(named[1]) if named else self.fields.get("split.count", 1)
        if type(parts) is not int:
            raise self.error(
                f"`split.count` is {parts!r}. Expected a whole number."
            )
        if parts > 1:
            raise self.error(
                f"it is one of {parts} parts. Merge them with llama.cpp: "
                "`llama-gguf-split --merge FIRST_PART.gguf WHOLE.gguf`."
            )
        self.architecture = self.fields.get("general.architecture")
        if not isinstance(self.architecture, str):
            raise self.error(
                f"`general.architecture` is {self.architecture!r}. Expected "
                "text."
            )

    def error(self, detail: str) -> ValueError:
        """An error that names the file, to be raised."""
        return ValueError(
            f"Could not load the GGUF file `{self.path}`: {detail}"
        )

    def get(self, key: str, default: Any = None) -> Any:
        """The metadata under a key, which follows the architecture's name."""
        key = f"{self.architecture}.{key}"
        value = self.fields.get(key, default)
        if value is None:
            raise self.error(f"its metadata lacks `{key}`.")
        if isinstance(value, list):  # one per block
            if not value or any(other != value[0] for other in value):
                raise self.error(
                    f"`{key}` is {value}, but KerasHub has one value for all "
                    "blocks."
                )
            return value[0]
        return value

    def size(self, key: str, default: int | None = None) -> int:
        """Metadata that must be an integer of at least 1."""
        value = self.get(key, default)
        if type(value) is not int or value < 1:
            raise self.error(
                f"`{self.architecture}.{key}` is {value!r}. Expected a whole "
                "number of at least 1."
            )
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """Metadata that must be a finite number above 0."""
        value = self.get(key, default)
        if type(value) not in (int, float) or not 0 < value < math.inf:
            raise self.error(
                f"`{self.architecture}.{key}` is {value!r}. Expected a number "
                "above 0."
            )
        return value

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, from its outermost dimension."""
        # GGUF counts dimensions from the innermost.
        return tuple(int(size) for size in reversed(self.tensors[name].shape))

    def check_shape(self, name: str, shape: tuple[int, ...]) -> None:
        """Raises `ValueError` where a tensor has another shape."""
        if self.shape(name) != shape:
            raise self.error(
                f"expected its tensor `{name}` to have the shape {shape}, "
                f"from its metadata, but it has {self.shape(name)}."
            )

    def read_tensor(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """A tensor as a float32 array that does not depend on the file."""
        import gguf

        tensor = self.tensors[name]
        self.check_shape(name, shape)
        try:
            values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        except NotImplementedError as error:
            raise self.error(
                f"its tensor `{name}` has the type "
                f"{tensor.tensor_type.name}, which the gguf package cannot "
                "dequantize."
            ) from error
        if not np.isfinite(values).all():
            raise self.error(
                f"its tensor `{name}` holds NaN or infinite values."
            )
        # A view would change with the file.
        return np.array(values, "float32")
