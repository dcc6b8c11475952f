"""The table of arms, as the terminal shows it."""

from typing import Any

from rich.table import Table

from keras_fpt.cli.console import cell, console

_EDGES = {"highest": "↑", "lowest": "↓"}


def print_arms(summary: Any) -> None:
    """Prints the table of `keras_fpt.results.summarize`, one part per task.

    It fits into 80 columns.
    """
    for task, rows in summary.groupby(level="task", sort=False):
        table = Table(title=cell(task))
        table.add_column("arm")
        for title in ("rate", "runs", "validation", "test", "steps"):
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
                _mean(row, "validation_accuracy"),
                _mean(row, "test_accuracy"),
                _format(row["steps_to_converge"], ""),
            )
        console.print(table)
    console.print(
        "Accuracies are means over seeds, ± half of a 95% interval. Steps: the "
        "median to a validation accuracy that is the same for all arms. Rates "
        "with ↑ or ↓ are the highest or lowest tried, so a better one may lie "
        "beyond."
    )


def print_regressions(table: Any) -> None:
    """Prints `keras_fpt.results.summarize_regressions`, if it has any row."""
    if table.empty:
        return
    shown = Table(title="Regressions, errors in the unit of the labels")
    shown.add_column("task")
    shown.add_column("arm")
    titles = ("rate", "runs", "test RMSE", "RMSE of the mean", "test R2")
    for title in titles:
        shown.add_column(title, justify="right")
    for _, row in table.iterrows():
        settings = f"\n{row['settings']}" if row["settings"] else ""
        shown.add_row(
            cell(row["task"]),
            cell(row["arm"] + settings),
            _format(row["learning_rate"], "g"),
            str(row["n"]),
            _format(row["test_rmse"], ".4g"),
            _format(row["test_floor_rmse"], ".4g"),
            _format(row["test_r2"], ".4f"),
        )
    console.print(shown)


def _mean(row: Any, name: str) -> str:
    half = _format(100 * row[f"{name}_interval"], ".2f")
    return _format(row[name], ".2%") + (f" ± {half}" if half else "")


def _format(value: Any, form: str) -> str:
    """A number as text; nothing for `None` and NaN."""
    return "" if value is None or value != value else format(value, form)
