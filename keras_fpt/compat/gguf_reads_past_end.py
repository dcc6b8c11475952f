"""The gguf package reads past the end of a file that is cut off.

The faults, of gguf 0.19: `GGUFReader` trusts the lengths in a file. Where they
exceed the file, it reads empty values in a loop that takes more and more
memory. Its error for an unknown quantization type does not name the tensor.

Upstream: https://github.com/ggml-org/llama.cpp/pull/27188 adds such checks,
and https://github.com/ggml-org/llama.cpp/issues/25378 reports others.
"""

from typing import Any

import numpy as np


def open_checked(path: str) -> Any:
    """A `gguf.GGUFReader` that checks what it reads.

    Args:
        path: string, the file.

    Raises:
        ValueError: the file ends too early, or a tensor has an unknown type.
    """
    import gguf

    known = set(gguf.GGMLQuantizationType)

    class CheckedReader(gguf.GGUFReader):
        def _get(self, offset, dtype, count=1, override_order=None):
            count = int(count)
            end = offset + np.dtype(dtype).itemsize * count
            if end > len(self.data):
                raise ValueError(
                    f"it ends at byte {len(self.data):,}, before {end:,}."
                )
            return super()._get(offset, dtype, count, override_order)

        def _build_tensors(self, start_offs, fields):
            for field in fields:
                number = int(field.parts[4][0])
                if number not in known:
                    raise ValueError(
                        f"the tensor `{field.name}` has the unknown "
                        f"quantization type {number}."
                    )
            super()._build_tensors(start_offs, fields)

    return CheckedReader(path)
