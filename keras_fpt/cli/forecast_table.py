"""How forecasts do beside simple rules, as a table for the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from keras_fpt.cli.console import cell, console

_COLUMNS_SHOWN = 3


def print_forecasts(errors: Mapping[str, Any] | None) -> None:
    """Prints the errors of a run and of simple rules.

    Args:
        errors: what `keras_fpt.runs.forecast_results.compare` found; `None`
            prints nothing.
    """
    if errors is None:
        return
    columns = list(next(iter(errors.values()))["mae_in_units"])
    shown = columns[:_COLUMNS_SHOWN]
    table = Table("forecast")
    for heading in ("MSE", "MAE", *(f"MAE of {name}" for name in shown)):
        table.add_column(cell(heading), justify="right")
    for name, found in errors.items():
        in_units = [f"{found['mae_in_units'][each]:.4g}" for each in shown]
        table.add_row(
            name, f"{found['mse']:.4g}", f"{found['mae']:.4g}", *in_units
        )
    console.print(table)
    console.print(
        "MSE and MAE are in standard deviations of train, and the MAE of a "
        "column is in its own unit."
    )
