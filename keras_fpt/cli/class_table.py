"""The results of a run on each class, as tables for the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from keras_fpt.cli.console import cell, console

_CLASSES_SHOWN = 12
# A wider matrix does not fit into a terminal of 80 columns.
_CONFUSIONS_SHOWN = 8
_MISTAKES_SHOWN = 3


def print_classes(metrics: Mapping[str, Any]) -> None:
    """Prints the results by class, and the most common mistakes.

    Args:
        metrics: what is in `metrics.json`.
    """
    classes = metrics.get("test_classes")
    if classes is None:
        return
    print_tables(classes, "class (test)")
    auroc = metrics["test_auroc"]
    console.print(
        f"Balanced accuracy {metrics['test_balanced_accuracy']:.2%}, "
        f"macro F1 {metrics['test_macro_f1']:.2%}"
        + (f", AUROC {auroc:.3f}" if auroc is not None else "")
        + f", calibration error {metrics['test_calibration_error']:.3f} "
        f"({metrics['test_scaled_calibration_error']:.3f} at temperature "
        f"{metrics['temperature']:.2f})."
    )
    mistakes = _mistakes(classes["confusion"], classes["names"])
    if mistakes:
        console.print(cell(f"Most common mistakes: {'; '.join(mistakes)}."))


def print_tables(classes: Mapping[str, Any], heading: str) -> None:
    """Prints precision, recall and F1 of each class, and the confusion matrix.

    Where there are many classes, nothing is printed.

    Args:
        classes: what `keras_fpt.runs.class_results.measure` returns.
        heading: string, over the classes' names.
    """
    if len(classes["names"]) <= _CLASSES_SHOWN:
        console.print(_table_of_classes(classes, heading))
    if len(classes["names"]) <= _CONFUSIONS_SHOWN:
        console.print(_confusion_matrix(classes))


def _table_of_classes(classes: Mapping[str, Any], heading: str) -> Table:
    table = Table(heading)
    for column in ("precision", "recall", "F1", "examples"):
        table.add_column(column, justify="right")
    keys = ("names", "precision", "recall", "f1", "examples")
    for name, *shares, count in zip(*map(classes.get, keys), strict=True):
        table.add_row(
            cell(name), *(f"{share:.1%}" for share in shares), f"{count:,}"
        )
    return table


def _confusion_matrix(classes: Mapping[str, Any]) -> Table:
    table = Table("label", title="Confusion matrix: examples by prediction")
    for name in classes["names"]:
        table.add_column(cell(name), justify="right", overflow="ellipsis")
    for name, counts in zip(
        classes["names"], classes["confusion"], strict=True
    ):
        table.add_row(cell(name), *(f"{count:,}" for count in counts))
    return table


def _mistakes(
    confusion: Sequence[Sequence[int]], names: Sequence[str]
) -> list[str]:
    wrong = [
        (number, names[label], names[answer])
        for label, row in enumerate(confusion)
        for answer, number in enumerate(row)
        if number and label != answer
    ]
    wrong.sort(key=lambda mistake: -mistake[0])
    return [
        f"{label} predicted as {answer} ({number:,})"
        for number, label, answer in wrong[:_MISTAKES_SHOWN]
    ]
