"""How many runs of a study train in one step."""

from keras_fpt import distribution
from keras_fpt.studies.sweep_config import AUTO, OFF

# More gain little on a GPU, and take its memory: see benchmarks/RESULTS.md.
MOST = 32


def largest(choice: str) -> int:
    """How many runs train in one step, at most; 1 is one by one.

    Args:
        choice: string, the `stack` of a `SweepConfig`.
    """
    if choice == OFF:
        return 1
    if choice != AUTO:
        return int(choice)
    return MOST if distribution.has_accelerator() else 1
