"""Whether the best learning rate lies at the edge of those that were tried."""

from collections.abc import Mapping

LOWEST, HIGHEST = "lowest", "highest"


def edge(
    tried: Mapping[float, float], best: float, best_score: float = 1.0
) -> str | None:
    """Where the best learning rate lies among those that were tried.

    Args:
        tried: dict from learning rates to scores on validation, the worst for
            a run that diverged.
        best: float, the learning rate that was chosen.
        best_score: float, which no rate could be better than.

    Returns:
        `"lowest"` or `"highest"` if it is that of those tried, so that a
        better one may lie beyond; `""` if it is not, if a rate between the
        others is as good, or if no rate could be better; `None` if only one
        was tried.

    >>> edge({1e-3: 0.8, 3e-3: 0.9}, 3e-3), edge({1e-3: 0.8}, 1e-3)
    ('highest', None)
    """
    if len(tried) < 2:
        return None
    highest = max(tried.values())
    between = sorted(tried)[1:-1]
    if highest >= best_score or any(tried[rate] >= highest for rate in between):
        return ""
    if best == min(tried):
        return LOWEST
    return HIGHEST if best == max(tried) else ""


def beyond(rate: float, side: str) -> float:
    """The next learning rate outward, by a factor of about 3.

    Args:
        rate: float, the lowest or the highest rate that was tried.
        side: `"lowest"` or `"highest"`.

    >>> beyond(0.001, "highest"), beyond(0.003, "highest")
    (0.003, 0.01)
    >>> beyond(0.001, "lowest"), beyond(0.003, "lowest")
    (0.0003, 0.001)
    """
    is_three = f"{rate:e}".startswith("3.0")
    factor = 10 / 3 if is_three == (side == HIGHEST) else 3.0
    return float(f"{rate * factor if side == HIGHEST else rate / factor:.6g}")
