"""The table of arms, as the terminal shows it."""

from typing import Any

from rich.table import Table

from keras_fpt.cli.console import cell, console

_EDGES = {"highest": "↑", "lowest": "↓"}


def print_arms(summary: Any) -> None:
    """Prints the table of `keras_fpt.results.summarize`, one part per task.

    It fits into 80 columns.
    """
    from keras_fpt.results import arms_table

    others: set[str | None] = set()
    for task, rows in summary.groupby(level="task", sort=False):
        table = Table(title=cell(task))
        # Names such as linear_probe_of_random_steps must be told apart.
        table.add_column("arm", overflow="fold")
        measure = arms_table.measure_of(rows)
        splits = [
            f"{split} {measure.title}" if measure.is_error else split
            for split in ("validation", "test")
        ]
        other = _other(rows, measure)
        last = f"test {other.upper()}" if other else "steps"
        others.add(other)
        for title in ("rate", "runs", *splits, last):
            table.add_column(title, justify="right", no_wrap=True)
        for (_, arm, settings), row in rows.iterrows():
            runs = f"{row['n']}"
            if row["diverged"]:
                runs += f" of {row['n'] + row['diverged']}"
            table.add_row(
                cell(f"{arm}\n{settings}" if settings else arm),
                _format(row["learning_rate"], "g")
                + _EDGES.get(row["edge"], ""),
                runs,
                _mean(row, "validation", measure),
                _mean(row, "test", measure),
                _format(row[f"test_{other}"], ".4f")
                if other
                else _format(row["steps_to_converge"], ""),
            )
        console.print(table)
    steps = (
        "Steps: the median to a validation accuracy that is the same for all "
        "arms. "
    )
    auroc = (
        "Accuracy, the share of all labels that are right, decides, and not "
        "AUROC, the mean over the labels. "
    )
    kinds = {
        "test_accuracy": "Accuracies",
        "test_rmse": "RMSEs, in the unit of the labels,",
        "test_mse": "MSEs, in standard deviations of train,",
    }
    values = " and ".join(kinds[name] for name in kinds if name in summary)
    console.print(
        f"{values} are means over seeds, ± half of a 95% interval. "
        f"{steps if None in others else ''}"
        f"{auroc if 'auroc' in others else ''}Rates with ↑ or ↓ are "
        "the highest or lowest tried, so a better one may lie beyond."
    )


def _other(rows: Any, measure: Any) -> str | None:
    """The further metric of the test that is shown, if any."""
    if "test_auroc" in rows and rows["test_auroc"].notna().any():
        return "auroc"
    return measure.others[-1] if measure.others else None


def _mean(row: Any, split: str, measure: Any) -> str:
    name = f"{split}_{measure.name}"
    value, half = row[name], row.get(f"{name}_interval")
    if value is None or value != value:
        return ""
    if measure.is_error:
        shown = measure.show(value)
        return shown + (f" ± {half:.2g}" if half == half else "")
    half = _format(100 * half, ".2f")
    return _format(value, ".2%") + (f" ± {half}" if half else "")


def _format(value: Any, form: str) -> str:
    """A number as text; nothing for `None` and NaN."""
    return "" if value is None or value != value else format(value, form)
