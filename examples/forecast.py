"""Forecast the temperature of the sea a year ahead, from six years.

    KERAS_BACKEND=torch python examples/forecast.py

The series is the sea surface temperature off Peru (El Nino), one number per
month from 1950 to 2010, which ships with statsmodels. A frozen language
model forecasts from every month of the last fifth, next to forecasts that need
no model, and the last forecasts are drawn to `forecasts.png`.

On one thread of a busy AMD EPYC it took 107 s (PyTorch) and printed, among
other lines,

    frozen gpt2_tiny_en: off by 0.84 degrees (MAE)
    naive: off by 2.41 degrees (MAE)
    dlinear: off by 0.76 degrees (MAE)
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402
import statsmodels.api as sm  # noqa: E402

import keras_fpt  # noqa: E402

CONTEXT, HORIZON = 72, 12

keras.utils.set_random_seed(0)
table = sm.datasets.elnino.load_pandas().data
series = table.drop(columns="YEAR").to_numpy().ravel()  # degrees Celsius
splits = keras_fpt.tasks.split_series(series, CONTEXT, HORIZON)
train, validation, test = splits.train, splits.validation, splits.test

model = keras_fpt.FPTForecaster.from_preset(
    "gpt2_tiny_en", horizon=HORIZON, patch_size=6
)
model.fit(
    train.x,
    train.y,
    validation_data=(validation.x, validation.y),
    epochs=15,
    batch_size=32,
    verbose=2,
    callbacks=[
        keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)
    ],
)
forecast = model.predict(test.x, verbose=0)

rivals, not_run = keras_fpt.studies.fit_forecast_rivals(splits)
named = {"frozen gpt2_tiny_en": forecast}
named |= {rival.name: rival.forecast for rival in rivals}
for name, each in named.items():
    errors = keras_fpt.tasks.forecast_errors(each, test.y)
    print(f"{name}: off by {errors['mae']:.2f} degrees (MAE)")
for entry in not_run:
    print(f"not run: {entry.what}: {entry.reason}")

figure, axes = plt.subplots(figsize=(9, 3), layout="constrained")
shown = np.arange(len(series) - 8 * HORIZON, len(series))
axes.plot(shown, series[shown], color="black", label="true values")
for last in range(-1, -5 * HORIZON, -HORIZON):
    steps = test.origins[last] + np.arange(HORIZON)
    label = "forecasts, of a year each" if last == -1 else None
    axes.plot(steps, forecast[last, :, 0], color="tab:blue", label=label)
axes.set(xlabel="month", ylabel="degrees Celsius")
axes.legend()
figure.savefig("forecasts.png")
