"""Regressions, which studies do not take yet."""

from keras_fpt.tasks import Task


def refuse(task: Task, command: str) -> None:
    """Refuses a regression, whose runs have no accuracy to compare.

    Args:
        task: a `Task`.
        command: string, the command that was called.

    Raises:
        ValueError: the task is a regression.
    """
    if task.is_regression:
        raise ValueError(
            f"`{command}` compares accuracies, and the task '{task.name}' is a "
            "regression. Train single runs with `keras-fpt train`; each "
            "reports the error of the mean and of the median beside its own."
        )
