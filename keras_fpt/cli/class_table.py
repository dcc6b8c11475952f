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
    has_several = "confusion" not in classes
    print_tables(classes, "label (test)" if has_several else "class (test)")
    if has_several:
        return
    auroc = metrics["test_auroc"]
    console.print(
        f"Balanced accuracy {metrics['test_balanced_accuracy']:.2%}, "
        f"macro F1 {metrics['test_macro_f1']:.2%}"
        + (f", AUROC {auroc:.3f}" if auroc is not None else "")
        + f", calibration error {metrics['test_calibration_error']:.3f}"
        + (
            f" ({metrics['test_scaled_calibration_error']:.3f} at temperature "
            f"{metrics['temperature']:.2f})."
            if "temperature" in metrics
            else "."
        )
    )
    mistakes = _mistakes(classes["confusion"], classes["names"])
    if mistakes:
        console.print(cell(f"Most common mistakes: {'; '.join(mistakes)}."))


def print_tables(classes: Mapping[str, Any], heading: str) -> None:
    """Prints precision, recall and F1 of each class, and the confusion matrix.

    Where there are many classes, nothing is printed.

    Args:
        classes: what `keras_fpt.runs.class_results.measure` returns, or for
            several labels `label_results.measure`.
        heading: string, over the classes' names.
    """
    if len(classes["names"]) <= _CLASSES_SHOWN:
        console.print(_table_of_classes(classes, heading))
    if "confusion" in classes and (len(classes["names"]) <= _CONFUSIONS_SHOWN):
        console.print(_confusion_matrix(classes))


def _table_of_classes(classes: Mapping[str, Any], heading: str) -> Table:
    table = Table(heading)
    has_auroc = "auroc" in classes
    columns = ("precision", "recall", "F1", *["AUROC"] * has_auroc, "examples")
    for column in columns:
        table.add_column(column, justify="right")
    areas = classes.get("auroc") or [None] * len(classes["names"])
    keys = ("names", "precision", "recall", "f1", "examples")
    for area, row in zip(
        areas, zip(*map(classes.get, keys), strict=True), strict=True
    ):
        name, *shares, count = row
        shown = [f"{share:.1%}" for share in shares]
        if has_auroc:
            shown.append("" if area is None else f"{area:.3f}")
        table.add_row(cell(name), *shown, f"{count:,}")
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
