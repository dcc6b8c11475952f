"""Measure forecasts of series that ship with statsmodels.

    KERAS_BACKEND=torch python benchmarks/forecasts.py --seeds 0 1 2

Compares a frozen language model with its controls, the same architecture
with random weights (`random`) and no blocks at all (`no_blocks`), and with
naive, seasonal naive, DLinear and, if statsforecast is installed, AutoETS and
AutoARIMA. All forecast from every origin of the last fifth of the series; the
tenth before it chooses seasons, strengths, learning rates and epochs.
"""

import argparse
import dataclasses

import numpy as np

from keras_fpt import studies, tasks


@dataclasses.dataclass(frozen=True)
class Setting:
    """The settings of a series' forecasts, chosen once and not searched."""

    context: int
    horizon: int
    patch_size: int


SETTINGS = {
    "elnino": Setting(context=72, horizon=12, patch_size=6),
    "sunspots": Setting(context=66, horizon=11, patch_size=6),
    "co2": Setting(context=156, horizon=26, patch_size=13),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", nargs="+", default=list(SETTINGS))
    parser.add_argument("--preset", default="gpt2_tiny_en")
    parser.add_argument(
        "--arms", nargs="*", default=["fpt", "random", "no_blocks"]
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument(
        "--learning-rates", nargs="+", type=float, default=[1e-3]
    )
    arguments = parser.parse_args()
    for name in arguments.series:
        setting = SETTINGS[name]
        splits = tasks.split_series(
            read(name), setting.context, setting.horizon
        )
        counts = ", ".join(
            f"{len(getattr(splits, part))} windows of {part}"
            for part in ("train", "validation", "test")
        )
        print(f"{name}: {len(splits.series)} steps, {setting}; {counts}")
        results, not_run = studies.compare_forecasts(
            splits,
            arguments.preset,
            arguments.arms,
            arguments.seeds,
            arguments.epochs,
            learning_rates=arguments.learning_rates,
            patch_size=setting.patch_size,
        )
        print(studies.forecast_table(results).to_markdown(floatfmt=".3f"))
        for entry in not_run:
            print(f"not run: {entry.what}: {entry.reason}")
        print(flush=True)


def read(name: str) -> np.ndarray:
    """A series of the wheel of statsmodels, `(time, 1)`.

    `elnino` is the sea surface temperature of each month of 1950 to 2010,
    `sunspots` the yearly number of 1700 to 2008, `co2` the weekly
    concentration at Mauna Loa of 1958 to 2001, with gaps filled linearly.
    """
    import statsmodels.api as sm

    data = getattr(sm.datasets, name).load_pandas().data
    if name == "elnino":
        values = data.drop(columns="YEAR").to_numpy().ravel()
    elif name == "sunspots":
        values = data["SUNACTIVITY"].to_numpy()
    else:
        values = data["co2"].interpolate().to_numpy()
    return values[:, None]


if __name__ == "__main__":
    main()
