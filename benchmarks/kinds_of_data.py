"""Compare the defaults of `train` with hand-made settings, by kind of data.

    python benchmarks/kinds_of_data.py FOLDER

For each kind of data that docs/data.md names, a small set is made, or taken
from scikit-learn, and trained with the defaults of `keras-fpt train` and with
five settings that one would try by hand. Training sets, steps and the depth of
the model are small, and the same for all six, so that all kinds take a few
hours on one core. Of the five the best is chosen on validation; what is shown
is the test split: accuracy (of labels, where an example has several), R2 if the
labels are numbers, and 1 - MSE of forecasts, in units of the training data's
variance. Sets that are made have more test examples than training examples, so
that the differences are not chance; with --seeds, means over several seeds are
shown. Nothing is downloaded.

FOLDER keeps the data, the runs and the table, `kinds.md`. Repeat the command to
go on where it was interrupted; runs that are finished are not trained again.
"""

import argparse
import csv
import pathlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from PIL import Image
from scipy.io import wavfile
from sklearn import datasets

from keras_fpt import runs, studies

# What is tried by hand for every kind of data; two more are of each kind.
RATES = [
    {"learning_rate": 3e-4},
    {"learning_rate": 3e-3},
    {"learning_rate": 1e-2},
]
TOKENS = [
    {"learning_rate": 3e-3, "readout": "mean"},
    {"learning_rate": 3e-3, "readout": "last+mean"},
]
SERIES = [
    {"learning_rate": 3e-3, "patch_size": 8, "readout": "flatten"},
    {"learning_rate": 3e-3, "instance_norm": True, "readout": "mean"},
]
STEPS = [
    {"learning_rate": 3e-3, "instance_norm": True},
    {"learning_rate": 3e-3, "readout": "token+mean"},
]
FORECASTS = [
    {"learning_rate": 3e-3, "patch_size": 4},
    {"learning_rate": 3e-3, "patch_size": 12},
]
SEQUENCES = [
    {"learning_rate": 3e-3, "patch_size": 4, "readout": "mean"},
    {"learning_rate": 3e-3, "instance_norm": True, "readout": "last+mean"},
]

# How many examples are made, and how many of them are used for training.
MADE, TRAINED = 2400, 320
Made = tuple[pathlib.Path, dict[str, Any]]


def write_table(path: pathlib.Path, head: list[str], rows: Any) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(rows)


def bundled(name: str, **options: Any) -> Callable[[pathlib.Path], Made]:
    """A table of scikit-learn, one example per row."""

    def make(folder: pathlib.Path) -> Made:
        data = getattr(datasets, f"load_{name}")()
        head = [f"x{i}" for i in range(data.data.shape[1])]
        rows = np.column_stack([data.data, data.target])
        write_table(folder / "rows.csv", [*head, "y"], rows.tolist())
        return folder / "rows.csv", {"label_column": "y", **options}

    return make


def waves(number: int, length: int, random: np.random.Generator) -> np.ndarray:
    """A sine, square or saw-tooth wave of random pitch and phase, and noise."""
    turns = np.arange(length) / length * random.uniform(2, 4) + random.random()
    shapes = (
        np.sin(2 * np.pi * turns),
        np.sign(np.sin(2 * np.pi * turns)),
        2 * (turns % 1) - 1,
    )
    return shapes[number] + random.normal(0, 0.4, length)


def groups(folder: pathlib.Path) -> Made:
    """Several rows per example."""
    random = np.random.default_rng(0)
    rows = [
        [f"g{i}", f"{value:.3f}", "abc"[i % 3]]
        for i in range(MADE)
        for value in waves(i % 3, 24, random)
    ]
    write_table(folder / "visits.csv", ["who", "x", "y"], rows)
    options = {"label_column": "y", "group_column": "who"}
    return folder / "visits.csv", options


def windows(folder: pathlib.Path) -> Made:
    """Windows of the series of 60 people, split by person."""
    random = np.random.default_rng(0)
    rows = [
        [f"p{person}", "abc"[bout % 3], f"{value:.3f}"]
        for person in range(60)
        for bout in range(6)
        for value in waves(bout % 3, 160, random)
    ]
    write_table(folder / "series.csv", ["person", "y", "x"], rows)
    return folder / "series.csv", {
        "label_column": "y",
        "group_column": "person",
        "window": 32,
        "stride": 16,
    }


def one_series(folder: pathlib.Path) -> Made:
    """Windows of one long series, split in its order."""
    random = np.random.default_rng(0)
    rows = [
        ["abc"[bout % 3], f"{value:.3f}"]
        for bout in range(240)
        for value in waves(bout % 3, 160, random)
    ]
    write_table(folder / "series.csv", ["y", "x"], rows)
    return folder / "series.csv", {
        "label_column": "y",
        "window": 32,
        "stride": 16,
    }


def labeled_rows(folder: pathlib.Path) -> Made:
    """A series with a label for each row."""
    random = np.random.default_rng(0)
    rows = [
        ["abc"[number], f"{value:.3f}"]
        for number in random.integers(3, size=1200)
        for value in waves(number, random.integers(20, 60), random)
    ]
    write_table(folder / "series.csv", ["y", "x"], rows)
    return folder / "series.csv", {
        "label_column": "y",
        "window": 32,
        "stride": 32,
        "task_type": "tokens",
    }


def forecast(folder: pathlib.Path) -> Made:
    """An hourly series with two periods, a trend that turns, and noise."""
    random = np.random.default_rng(0)
    times = np.arange(2000)
    x = (
        10 * np.sin(2 * np.pi * times / 24)
        + 5 * np.sin(2 * np.pi * times / 168)
        + np.cumsum(random.normal(0, 0.5, len(times)))
        + random.normal(0, 2, len(times))
    )
    rows = np.column_stack([times, x.round(3)]).tolist()
    write_table(folder / "load.csv", ["hour", "load"], rows)
    return folder / "load.csv", {
        "task_type": "forecast",
        "target_column": "load",
        "time_column": "hour",
        "context": 96,
        "horizon": 24,
    }


def export(folder: pathlib.Path) -> Made:
    """A table with semicolons, decimal commas, words and missing cells."""
    random = np.random.default_rng(0)
    lines = ["age;ward;pressure;marker;y"]
    for _ in range(MADE):
        age, pressure, marker = random.normal((55, 130, 2), (15, 20, 0.7))
        ward = random.choice(["north", "south", "west"])
        risk = (age - 55) / 15 + (pressure - 130) / 20 * (ward == "north")
        cells = [f"{age:.1f}", ward, f"{pressure:.1f}", f"{marker:.2f}"]
        for i in (0, 2, 3):
            if random.random() < 0.1:
                cells[i] = "-999"
        y = "yes" if risk + marker - 2 + random.normal(0, 0.5) > 0 else "no"
        lines.append(";".join([*cells, y]).replace(".", ","))
    (folder / "export.csv").write_text("\n".join(lines) + "\n")
    options = {"label_column": "y", "missing": "-999", "fill": "median"}
    return folder / "export.csv", options


def several_labels(folder: pathlib.Path) -> Made:
    """A table with two labels per row."""
    random = np.random.default_rng(0)
    x = random.normal(size=(MADE, 6))
    noise = random.normal(0, 0.4, (MADE, 2))
    rain = x[:, 0] + x[:, 1] * x[:, 2] + noise[:, 0] > 0
    wind = np.abs(x[:, 3]) + x[:, 4] + noise[:, 1] > 0.8
    head = [*(f"x{i}" for i in range(6)), "rain", "wind"]
    write_table(
        folder / "weather.csv",
        head,
        np.column_stack([x.round(3), rain, wind]).tolist(),
    )
    return folder / "weather.csv", {"label_column": ["rain", "wind"]}


def letters(alphabet: str, number: int, random: np.random.Generator) -> str:
    """A string with the motif of one of two classes somewhere in it."""
    text = random.choice(list(alphabet), random.integers(20, 30))
    motif = (alphabet[:2] * 2, alphabet[2:4] * 2)[number]
    place = random.integers(len(text) - len(motif))
    text[place : place + len(motif)] = list(motif)
    return "".join(text)


def strings(folder: pathlib.Path) -> Made:
    """Strings in a table."""
    random = np.random.default_rng(0)
    rows = [
        [letters("CN(=)Oc1", i % 2, random), "ab"[i % 2]] for i in range(MADE)
    ]
    write_table(folder / "strings.csv", ["text", "y"], rows)
    options = {"label_column": "y", "text_column": "text"}
    return folder / "strings.csv", options


def fasta(alphabet: str) -> Callable[[pathlib.Path], Made]:
    """Sequences in a FASTA file, with their labels in a table."""

    def make(folder: pathlib.Path) -> Made:
        random = np.random.default_rng(0)
        labels, lines = [], []
        for i in range(MADE):
            lines += [f">s{i}", letters(alphabet, i % 2, random)]
            labels.append([f"s{i}", "ab"[i % 2]])
        (folder / "mine.fasta").write_text("\n".join(lines) + "\n")
        write_table(folder / "labels.csv", ["id", "label"], labels)
        options = {"labels": str(folder / "labels.csv")}
        return folder / "mine.fasta", options

    return make


def images(folder: pathlib.Path) -> Made:
    """Scikit-learn's digits as pictures in a folder per class."""
    data = datasets.load_digits()
    pairs = zip(data.images, data.target, strict=True)
    for i, (x, y) in enumerate(pairs):
        path = folder / "photos" / str(y) / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((x * 15.9).astype("uint8")).save(path)
    return folder / "photos", {"patch_size": 2}


def sounds(folder: pathlib.Path) -> Made:
    """Waves of three kinds as WAV files in a folder per class."""
    random = np.random.default_rng(0)
    for i in range(MADE):
        path = folder / "sounds" / "abc"[i % 3] / f"{i}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        times = np.arange(1200) / 4000 * random.uniform(200, 400)
        shape = (np.sin, lambda t: np.sign(np.sin(t)), lambda t: t % 2 - 1)
        x = shape[i % 3](2 * np.pi * times) + random.normal(0, 0.5, len(times))
        wavfile.write(path, 4000, (8000 * x).clip(-32767, 32767).astype("<i2"))
    return folder / "sounds", {}


def table_of_files(folder: pathlib.Path) -> Made:
    """Sounds, with their labels and folds in a table."""
    sounds(folder)
    paths = sorted((folder / "sounds").rglob("*.wav"))
    rows = [
        [path.relative_to(folder), path.parent.name, i % 10]
        for i, path in enumerate(paths)
    ]
    write_table(folder / "sounds.csv", ["file", "kind", "fold"], rows)
    return folder / "sounds.csv", {
        "file_column": "file",
        "label_column": "kind",
        "split_group": "fold",
    }


def recordings(folder: pathlib.Path) -> Made:
    """Tables of two channels in a folder per class."""
    random = np.random.default_rng(0)
    for i in range(MADE):
        path = folder / "recordings" / "abc"[i % 3] / f"{i}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = np.stack([waves(i % 3, 24, random) for _ in range(2)], axis=1)
        write_table(path, ["u", "v"], rows.round(3).tolist())
    return folder / "recordings", {}


def cylinder_bell_funnel(
    number: int, random: np.random.Generator
) -> np.ndarray:
    """A series of Saito, 1994, as in the UCR archive's CBF, of 32 steps."""
    times = np.arange(32)
    start = random.integers(4, 9)
    end = start + random.integers(8, 25)
    inside = (times >= start) & (times < end)
    ramp = (times - start) / (end - start)
    shape = (np.ones(32), ramp, 1 - ramp)[number]
    height = 6 + random.normal()
    return height * shape * inside + random.normal(size=32)


def arrays(folder: pathlib.Path) -> Made:
    """Sequences with labels in an `.npz` file."""
    random = np.random.default_rng(0)
    y = np.arange(MADE) % 3
    x = np.stack([cylinder_bell_funnel(each, random) for each in y])
    x = x.astype("float32")[..., None]
    np.savez(folder / "arrays.npz", x=x, y=y)
    return folder / "arrays.npz", {}


def ucr(folder: pathlib.Path) -> Made:
    """Train and test in two `.ts` files."""
    random = np.random.default_rng(0)
    for part, count in (("TRAIN", TRAINED), ("TEST", 600)):
        lines = [
            ",".join(
                f"{value:.3f}" for value in cylinder_bell_funnel(i % 3, random)
            )
            + f":{i % 3 + 1}"
            for i in range(count)
        ]
        text = (
            "@problemName CBF\n@timeStamps false\n@univariate true\n"
            "@equalLength true\n@classLabel true 1 2 3\n@data\n"
        )
        path = folder / f"CBF_{part}.ts"
        path.write_text(text + "\n".join(lines) + "\n")
    return folder / "CBF_TRAIN.ts", {"test": str(folder / "CBF_TEST.ts")}


# Each kind of data, how it is made, and what else is tried by hand.
KINDS: dict[str, tuple[Callable[[pathlib.Path], Made], list[dict]]] = {
    "table, iris": (bundled("iris"), TOKENS),
    "table, wine": (bundled("wine"), TOKENS),
    "table, breast cancer": (bundled("breast_cancer"), TOKENS),
    "table, diabetes (numbers)": (
        bundled("diabetes", task_type="regression"),
        TOKENS,
    ),
    "table, a hospital's export": (export, TOKENS),
    "table, several labels": (several_labels, TOKENS),
    "several rows per example": (groups, SEQUENCES),
    "one long series": (one_series, SERIES),
    "a label for each row": (labeled_rows, STEPS),
    "forecast": (forecast, FORECASTS),
    "windows of a series": (windows, SERIES),
    "strings": (strings, TOKENS),
    "proteins": (fasta("ACDEFGHIKLMNPQRSTVWY"), TOKENS),
    "DNA": (fasta("ACGT"), TOKENS),
    "images": (images, TOKENS),
    "sounds": (sounds, TOKENS),
    "a table of files": (table_of_files, TOKENS),
    "recordings": (recordings, SEQUENCES),
    "arrays": (arrays, SERIES),
    "UCR .ts": (ucr, SERIES),
}


def train(
    config: runs.RunConfig,
    settings: dict[str, Any],
    takes_defaults: bool,
    output: pathlib.Path,
) -> tuple[float, float]:
    """Accuracy, R2, or 1 - MSE, of a run on validation and on test."""
    config = config.with_settings(**settings)
    if takes_defaults:
        config = studies.with_kind_defaults(config, ())
    metrics = runs.train(config, output, resume=True)
    keras.utils.clear_session()
    if "test_mse" in metrics and "test_r2" not in metrics:  # A forecast.
        return 1 - metrics["validation_mse"], 1 - metrics["test_mse"]
    name = "r2" if "test_r2" in metrics else "accuracy"
    return metrics[f"validation_{name}"], metrics[f"test_{name}"]


def measure(
    kind: str,
    folder: pathlib.Path,
    steps: int,
    batch_size: int,
    depth: int,
    seeds: list[int],
) -> tuple[str, float]:
    """A row of the table, and how far the defaults are behind on test.

    With each seed, the best of five is chosen anew.
    """
    make, more = KINDS[kind]
    train_examples = None if kind.startswith("table") else TRAINED
    place = folder / "".join(c if c.isalnum() else "-" for c in kind)
    place.mkdir(parents=True, exist_ok=True)
    path, options = make(place)
    defaults, best, words = [], [], []
    for seed in seeds:
        found = []
        for number, settings in enumerate([{}, *RATES, *more]):
            output = place / f"{steps}x{batch_size}x{depth}-seed{seed}-{number}"
            reached = train(
                runs.RunConfig(
                    str(path),
                    steps=steps,
                    batch_size=batch_size,
                    seed=seed,
                    train_examples=train_examples,
                    options=options,
                ),
                settings | {"depth": depth},
                number == 0,
                output,
            )
            found.append((reached, settings))
        defaults.append(found[0][0])
        reached, chosen = max(found[1:], key=lambda each: each[0][0])
        best.append(reached)
        words.append(", ".join(f"{k} {v}" for k, v in chosen.items()))
    own_validation, own = np.mean(defaults, axis=0)
    validation, test = np.mean(best, axis=0)
    row = (
        f"| {kind} | {own_validation:.1%} | {own:.1%} | {validation:.1%} "
        f"| {test:.1%} | {100 * (own - test):+.1f} "
        f"| {'; '.join(dict.fromkeys(words))} |"
    )
    return row, float(test - own)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS))
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--depth", type=int, default=1)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    arguments = parser.parse_args()
    lines = [
        "| kind | defaults, validation | defaults, test | best of five, "
        "validation | best of five, test | difference | best of five |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |"
    ]
    behind = []
    for kind in arguments.kinds:
        row, gap = measure(
            kind,
            arguments.folder,
            arguments.steps,
            arguments.batch_size,
            arguments.depth,
            arguments.seeds,
        )
        behind.append(gap)
        near = sum(each <= 0.03 for each in behind)
        lines.append(row)
        last = f"Within 3 points of the best of five: {near} of {len(behind)}."
        text = "\n".join([*lines, "", last])
        (arguments.folder / "kinds.md").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
