"""Make a table of accelerometer readings to try the command line with.

    python examples/make_walks.py
    keras-fpt train walks.csv --label-column activity --group-column person \
        --window 50 --stride 25

It writes `walks.csv`, ten simulated people who sit, walk and run with a sensor
at the hip (25 readings per second), and `new_walks.csv`, two more people.
"""

import csv

import numpy as np

HERTZ = 25
STRIDES_PER_SECOND = {"sit": 0.0, "walk": 1.8, "run": 2.7}


def simulate(person, random):
    """Rows of person, activity and acceleration: six bouts of 20 seconds."""
    pace = random.uniform(0.9, 1.1)
    rows = []
    for activity in 2 * list(STRIDES_PER_SECOND):
        times = np.arange(20 * HERTZ) / HERTZ
        stride = STRIDES_PER_SECOND[activity]
        swing = np.sin(2 * np.pi * pace * stride * times)
        forward = 0.3 * stride * swing + random.normal(0, 0.3, len(times))
        up = 1 + 0.2 * stride * swing**2 + random.normal(0, 0.2, len(times))
        for pair in zip(forward, up, strict=True):
            rows.append([person, activity, *(f"{value:.3f}" for value in pair)])
    return rows


def write(path, people, random):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["person", "activity", "forward", "up"])
        for person in people:
            writer.writerows(simulate(person, random))


random = np.random.default_rng(0)
write("walks.csv", [f"p{number}" for number in range(10)], random)
write("new_walks.csv", ["new-1", "new-2"], random)
print("Written: walks.csv and new_walks.csv")
