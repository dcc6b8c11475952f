"""A limit on how large compressed files may become when unpacked."""

import os

MAX_BYTES = 2**30
MAX_RATIO = 100


def check_size(packed: int, unpacked: int, path: str | os.PathLike) -> None:
    """Checks that unpacking a file does not exhaust the memory.

    Args:
        packed: int, bytes.
        unpacked: int, bytes.
        path: the file, for errors.

    Raises:
        ValueError: the file unpacks to more than a gigabyte and to more than
            100 times its size, which is unusual for data.
    """
    if unpacked > MAX_BYTES and unpacked > MAX_RATIO * packed:
        raise ValueError(
            f"`{path}` may be a decompression bomb: {packed:,} bytes "
            f"unpack to more than {MAX_BYTES:,}, which could exhaust the "
            "memory. If you trust it, unpack it and give the unpacked file."
        )
