"""How many runs of a study train in one step."""

from keras_fpt import distribution

AUTO, OFF = "auto", "off"
# More gain little on a GPU, and take its memory: see benchmarks/RESULTS.md.
MOST = 32


def check(choice: str) -> None:
    """Raises `ValueError` if a text does not say how many runs to stack."""
    is_number = choice.isdecimal() and int(choice) > 1
    if choice not in (AUTO, OFF) and not is_number:
        raise ValueError(
            "Expected stack (--stack) to be auto, off or a number of runs from "
            f"2 but received {choice!r}."
        )


def largest(choice: str) -> int:
    """How many runs train in one step, at most; 1 is one by one.

    Args:
        choice: string, the `stack` of a study.
    """
    if choice == OFF:
        return 1
    if choice != AUTO:
        return int(choice)
    return MOST if distribution.has_accelerator() else 1
