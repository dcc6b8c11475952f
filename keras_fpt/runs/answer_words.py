"""What a task's labels are, in words, as a run begins."""

import numpy as np

from keras_fpt.tasks import Task

CLASSES_SHOWN = 5


def describe_answers(task: Task) -> str:
    """The shares of classes, or the targets, in train, and a baseline."""
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
    if task.is_multilabel:
        baseline = (
            "Baseline: always giving each label its more common answer is "
            f"right in {task.majority_accuracy('validation'):.1%} of the "
            "labels of validation."
        )
    most_common = np.argsort(-counts, kind="stable")[:CLASSES_SHOWN]
    size = task.data.size("train")
    total = size if task.is_multilabel else counts.sum()
    shares = ", ".join(
        f"{task.class_names[i] if task.class_names else i} "
        f"{counts[i] / total:.1%}"
        for i in most_common
    )
    more = len(counts) - len(most_common)
    shares += f" and {more:,} more" if more else ""
    return f"{task.word_for_classes.title()} of train: {shares}. {baseline}"
