"""Compressed files that would fill the memory."""

LARGEST = 2**30
MOST_TIMES = 100


def check(packed, unpacked, path):
    """Checks that a compressed file is not made to be too large unpacked.

    Args:
        packed: int, bytes.
        unpacked: int, bytes.
        path: the file, for errors.

    Raises:
        ValueError: it would have more than a gigabyte and more than 100 times
            its compressed size, which data hardly has.
    """
    if unpacked > LARGEST and unpacked > MOST_TIMES * packed:
        raise ValueError(
            f"`{path}` is compressed so much ({packed:,} bytes are more than "
            f"{LARGEST:,} unpacked) that it may be made to fill the memory. "
            "If you trust it, unpack it and give it uncompressed."
        )
