"""How many runs of a study train in one step."""

from keras_fpt import distribution

AUTO, OFF = "auto", "off"
# More gain little on a GPU, and take its memory: see benchmarks/RESULTS.md.
MOST = 32
# Larger batches gain less on a CPU, see docs/speed.md, and a process that takes
# more memory than there is ends there without an error.
_MOST_TOKENS_ON_CPU = 2048


def check(choice: str) -> None:
    """Raises `ValueError` if a text does not say how many runs to stack."""
    is_number = choice.isdecimal() and int(choice) > 1
    if choice not in (AUTO, OFF) and not is_number:
        raise ValueError(
            "Expected stack (--stack) to be auto, off or a number of runs from "
            f"2 but received {choice!r}."
        )


def largest(choice: str, num_tokens: int | None = None) -> int:
    """How many runs train in one step, at most; 1 is one by one.

    Args:
        choice: string, the `stack` of a study.
        num_tokens: int, the tokens in a batch of one run. `None` stands for so
            many that a CPU trains runs one by one.
    """
    if choice == OFF:
        return 1
    if choice != AUTO:
        return int(choice)
    if distribution.has_accelerator():
        return MOST
    if num_tokens is None:
        return 1
    return max(1, min(MOST, _MOST_TOKENS_ON_CPU // num_tokens))
