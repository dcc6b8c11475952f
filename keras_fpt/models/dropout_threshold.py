"""The threshold below which a random number makes dropout drop an entry."""

BITS = 16  # of the random numbers that decide which entries dropout drops


def dropout_threshold(rate: float) -> int:
    """Entries whose number of `BITS` bits is below this are dropped."""
    return round(rate * 2**BITS)
