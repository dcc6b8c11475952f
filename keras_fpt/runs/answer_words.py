"""The labels of a task in words, and the baselines beside them."""

import numpy as np

from keras_fpt.tasks import Task

_CLASSES_SHOWN = 5


def describe(task: Task) -> str:
    """The class shares, or targets, of the training data, and baselines.

    Args:
        task: a `Task` with data.
    """
    if task.is_forecast:
        rules = ", ".join(
            f"{name} {-scores.mean():.4g}"
            for name, scores in task.floors("validation").items()
        )
        return (
            f"Training targets: {task.describe_targets('train')}. Baselines: "
            "MSE on validation, in standard deviations of the training data: "
            f"{rules}."
        )
    if task.is_regression:
        floors = task.target_floors("validation")
        return (
            f"Training targets: {task.describe_targets('train')}. Baseline: "
            "always predicting the mean has an RMSE of "
            f"{floors['floor_rmse']:.4g} on validation."
        )
    counts = task.class_counts("train")
    baseline = (
        "Baseline: always guessing the most common class scores "
        f"{task.majority_accuracy('validation'):.1%} on validation."
    )
    if counts is None:
        return f"Labels are generated. {baseline}"
    if task.is_multilabel:
        baseline = (
            "Baseline: always giving each label its more common answer is "
            f"right in {task.majority_accuracy('validation'):.1%} of the "
            "labels of validation."
        )
    most_common = np.argsort(-counts, kind="stable")[:_CLASSES_SHOWN]
    size = task.data.size("train")
    total = size if task.is_multilabel else counts.sum()
    shares = ", ".join(
        f"{task.class_names[i] if task.class_names else i} "
        f"{counts[i] / total:.1%}"
        for i in most_common
    )
    more = len(counts) - len(most_common)
    shares += f" and {more:,} more" if more else ""
    return f"Training {task.word_for_classes}: {shares}. {baseline}"
