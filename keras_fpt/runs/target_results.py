"""How a run of a regression does: errors in the unit of the targets."""

import numpy as np
from sklearn import metrics as sk


def measure(answers: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """The errors of answers.

    Args:
        answers: float array `(examples, targets)`.
        targets: float array of the same shape.

    Returns:
        A dict of `mae`, `rmse` and `r2`, as `keras_fpt.FPTRegressor` has
        them: `r2` is NaN for less than two examples.
    """
    squared = (answers - targets) ** 2
    several = len(targets) > 1
    return {
        "mae": float(np.abs(answers - targets).mean()),
        "rmse": float(np.sqrt(squared.mean())),
        "r2": float(sk.r2_score(targets, answers)) if several else np.nan,
    }


def words(values: dict[str, float]) -> str:
    """Errors in words: `RMSE 0.1234, MAE 0.09, R2 0.95`."""
    return (
        f"RMSE {values['rmse']:.4g}, MAE {values['mae']:.4g}, "
        f"R2 {values['r2']:.4f}"
    )
