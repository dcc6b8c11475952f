"""What a task's answers are, and what is reached without learning it."""

import numpy as np

from keras_fpt.tasks import Task

_CLASSES_SHOWN = 5


def describe(task: Task) -> str:
    """The shares of classes, or the targets, in train, and a baseline.

    Args:
        task: a `Task` with data.
    """
    if task.is_forecast:
        rules = ", ".join(
            f"{name} {-scores.mean():.4g}"
            for name, scores in task.floors("validation").items()
        )
        return (
            f"Targets of train: {task.describe_targets('train')}. Baselines: "
            f"MSE on validation, in standard deviations of train: {rules}."
        )
    if task.is_regression:
        floors = task.target_floors("validation")
        return (
            f"Targets of train: {task.describe_targets('train')}. Baseline: "
            "always predicting the mean has an RMSE of "
            f"{floors['floor_rmse']:.4g} on validation."
        )
    counts = task.class_counts("train")
    baseline = (
        "Baseline: always guessing the most common class scores "
        f"{task.majority_accuracy('validation'):.1%} on validation."
    )
    if counts is None:
        return f"Answers are generated. {baseline}"
    most_common = np.argsort(-counts, kind="stable")[:_CLASSES_SHOWN]
    shares = ", ".join(
        f"{task.class_names[i] if task.class_names else i} "
        f"{counts[i] / counts.sum():.1%}"
        for i in most_common
    )
    more = len(counts) - len(most_common)
    shares += f" and {more:,} more" if more else ""
    return f"Classes of train: {shares}. {baseline}"
