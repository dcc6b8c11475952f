"""What the page shows of the forecasts of one run."""

from collections.abc import Mapping
from typing import Any

from keras_fpt.files import pictures
from keras_fpt.reports import page_tables
from keras_fpt.reports.plots import to_svg

# Columns that are drawn, and that the table has.
_DRAWN = 3
_LISTED = 6
# Rows of the context that are drawn, in horizons.
_HORIZONS_DRAWN = 4


def beside_truth(values: Mapping[str, Any], title: str) -> str:
    """A forecast beside what came, after the end of its context.

    Args:
        values: dict with lists `context`, `truth` and `forecast`, and of
            quantiles `low` and `high`: one column of `test_forecast_example`
            in a run's `metrics.json`.
        title: string.

    Returns:
        String, an SVG element.
    """
    figure, axes = pictures.new_figure(title)
    truth, forecast = values["truth"], values["forecast"]
    context = values["context"][-_HORIZONS_DRAWN * len(truth) :]
    before = range(1 - len(context), 1)
    ahead = range(1, len(truth) + 1)
    axes.plot(before, context, color="gray", label="context")
    # Without a gap between the last row and the next one.
    joined = [0, *ahead]
    axes.plot(joined, [context[-1], *truth], color="C0", label="truth")
    axes.plot(
        joined,
        [context[-1], *forecast],
        color="C1",
        linestyle="--",
        label="forecast",
    )
    if "low" in values:
        axes.fill_between(
            ahead,
            values["low"],
            values["high"],
            color="C1",
            alpha=0.2,
            linewidth=0,
            label="outer quantiles",
        )
    axes.set_xlabel("rows after the context")
    axes.grid(alpha=0.3)
    points = [
        (x, y, f"{x} rows ahead\n{name} {y:.4g}")
        for name, numbers in (("truth", truth), ("forecast", forecast))
        for x, y in zip(ahead, numbers, strict=True)
    ]
    return to_svg(figure, axes, points)


def errors_by_step(errors: Mapping[str, Any], title: str) -> str:
    """The mean absolute error by how far ahead a row is.

    Args:
        errors: dict, `test_forecasts` in a run's `metrics.json`.
        title: string.

    Returns:
        String, an SVG element.
    """
    figure, axes = pictures.new_figure(title)
    points = []
    for name, found in errors.items():
        steps = range(1, len(found["mae_by_step"]) + 1)
        axes.plot(steps, found["mae_by_step"], marker=".", label=name)
        points += [
            (x, y, f"{x} rows ahead\n{name}: MAE {y:.4g}")
            for x, y in zip(steps, found["mae_by_step"], strict=True)
        ]
    axes.set_xlabel("rows ahead")
    axes.set_ylabel("MAE, in standard deviations of train")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    return to_svg(figure, axes, points)


def errors_table(errors: Mapping[str, Any]) -> page_tables.Table:
    """The errors of a run and of simple rules.

    Args:
        errors: as for `errors_by_step`.
    """
    rows = list(errors.values())
    columns = list(rows[0]["mae_in_units"])[:_LISTED]
    column = page_tables.Column
    return page_tables.Table(
        "Errors of forecasts",
        [
            column("forecast", list(errors), "text"),
            column("MSE", [f"{row['mse']:.4g}" for row in rows]),
            column("MAE", [f"{row['mae']:.4g}" for row in rows]),
            *(
                column(
                    f"MAE of {name}",
                    [f"{row['mae_in_units'][name]:.4g}" for row in rows],
                )
                for name in columns
            ),
        ],
    )


def of_runs(final: Any) -> dict[str, Any] | None:
    """What the page shows of forecasts, for the best run on validation.

    Args:
        final: `pandas.DataFrame` of `load_runs`, the final runs of one task.
    """
    if "test_forecasts" not in final:
        return None
    known = final[final["test_forecasts"].map(lambda x: isinstance(x, dict))]
    if known.empty:
        return None
    run = known.loc[known["validation_mse"].idxmin()]
    errors, example = run["test_forecasts"], run["test_forecast_example"]
    title = f"{run['task']}, {run['arm']}: test"
    return {
        "run": run["folder"],
        "example": example["name"],
        "errors": errors_table(errors),
        "pictures": [
            *(
                beside_truth(values, f"{title}, {name}")
                for name, values in list(example["columns"].items())[:_DRAWN]
            ),
            errors_by_step(errors, f"{title}, errors"),
        ],
    }
