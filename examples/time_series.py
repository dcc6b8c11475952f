"""Classify windows of a long time series: a person's accelerometer.

    KERAS_BACKEND=torch python examples/time_series.py

Twenty simulated people sit, walk and run with a sensor at the hip, with 25
readings per second. The readings are written to a table, from which the task is
made: each sequence is two seconds long, and each person is in one split only,
so the test split has people whom the model has not seen.

On 2 CPU cores it took 80 s (PyTorch) and printed, among Keras's lines,

    walks: 2,380 sequences, 50 tokens of width 3 -> 3 classes
      classes: run 38.7%, sit 28.9%, walk 32.4%
      split: 1,666 train, 238 validation, 476 test (seeded, by person)
      width: the columns forward, sideways, up, standardized
    test accuracy 75.8% on people it has not seen; majority class: 31.9%
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

import keras_fpt  # noqa: E402

STEPS = 200
HERTZ = 25
STRIDES_PER_SECOND = {"sit": 0.0, "walk": 1.8, "run": 2.7}


def simulate(person, random):
    """Rows of person, activity and acceleration in g: ten bouts of 12 s."""
    pace = random.uniform(0.85, 1.15)
    strength = {"sit": 0.0, "walk": random.uniform(0.2, 0.5)}
    strength["run"] = strength["walk"] * random.uniform(1.2, 2.5)
    rows = []
    for activity in random.choice(list(STRIDES_PER_SECOND), 10):
        seconds = np.arange(12 * HERTZ) / HERTZ
        turns = STRIDES_PER_SECOND[activity] * pace * seconds + random.random()
        swing = strength[activity] * np.sin(2 * np.pi * turns)
        noise = random.normal(0, 0.15, (len(seconds), 3))
        readings = np.stack([swing, swing**2, 1 + swing], 1) + noise
        rows += [(person, activity, *reading) for reading in readings]
    return rows


keras.utils.set_random_seed(0)
random = np.random.default_rng(0)
rows = [row for n in range(20) for row in simulate(f"person {n}", random)]
columns = ["person", "activity", "forward", "sideways", "up"]
pd.DataFrame(rows, columns=columns).to_csv("walks.csv", index=False)

task = keras_fpt.tasks.from_csv(
    "walks.csv",
    label_column="activity",
    group_column="person",
    window=2 * HERTZ,
    stride=HERTZ,
)
model = keras_fpt.FPTClassifier.from_preset("gpt2_tiny_en", task=task)
train, validation, test = task.datasets(batch_size=64, seed=0)
model.fit(
    train,
    validation_data=validation,
    steps_per_epoch=STEPS // 4,
    epochs=4,
    verbose=2,
)
loss, accuracy = model.evaluate(test, verbose=0)
print(
    f"test accuracy {accuracy:.1%} on people it has not seen; majority class: "
    f"{task.majority_accuracy('test'):.1%}"
)
