"""Measure the peak memory of training on data of two sizes.

    KERAS_BACKEND=torch python benchmarks/large_data.py --kinds parquet images

The data is made in a temporary folder below `--folder`: a CSV file or a folder
of Parquet files with 4 columns of numbers and a label, or a folder with PNG
images of 32 x 32 pixels; or a folder of Parquet files that is one long series,
from which windows are cut, or whose column "recording" makes groups; a .npy
file of sequences; or a CSV file of strings. Of the kind "scattered", the rows
of a recording are all over the folder, and of the kind "shuffled", from which
windows of several stations are cut, no row is in the order of time. Of the same
rows are the kinds "numbers" (a CSV file whose label is a number), "labels" (a
folder of Parquet files with three labels of 0 and 1), "dropped" (a CSV file of
whose cells a hundredth is missing, and whose rows are left out) and
"number-windows" (a long series, whose windows have the mean of a number). Of
the kind "tokens", each row of a window has a label. The kind "families" is
strings whose groups stay in one split, and "saved" is a data set as of Hugging
Face's save_to_disk, of sequences of different lengths. "fasta" is a FASTA file
of proteins of 50 to 150 letters and its table of labels. The kind "forecast" is
a CSV file of hourly rows of several stations, two of whose columns are
forecast, 24 rows from 96. "npz" is a .npz file of padded sequences and their
lengths, of whose numbers a hundredth is missing and filled with medians.
Each size is made, and trained on, in its own processes. A training process
makes the task, computes its fingerprint, trains `gpt2_tiny_en` for a few steps
and evaluates a few batches. The kind "predict" trains on the first rows of a
CSV file, which is its time to read, and predicts all of them; its time per step
is that of 1,000 rows. The kind "predict-forecast" does so with hourly rows of
stations, of each of which it forecasts the next 24 rows. The peak is that of
the resident memory of the process from its start to its end.
"""

import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

SIZES = {
    "csv": (5_000_000, 50_000_000),
    "parquet": (5_000_000, 50_000_000),
    "images": (10_000, 100_000),
    "windows": (2_000_000, 10_000_000),
    "groups": (2_000_000, 10_000_000),
    "predict": (200_000, 1_000_000),
    "predict-forecast": (500_000, 5_000_000),
    "npy": (200_000, 1_000_000),
    "npz": (200_000, 1_000_000),
    "strings": (1_000_000, 5_000_000),
    "numbers": (200_000, 2_000_000),
    "labels": (200_000, 2_000_000),
    "dropped": (200_000, 2_000_000),
    "number-windows": (200_000, 2_000_000),
    "tokens": (200_000, 2_000_000),
    "families": (200_000, 2_000_000),
    "saved": (200_000, 2_000_000),
    "fasta": (100_000, 1_000_000),
    "forecast": (1_000_000, 10_000_000),
    "scattered": (1_000_000, 5_000_000),
    "shuffled": (1_000_000, 5_000_000),
}
WINDOW = 50
FIRST_ROWS = 2_000
FOLDERS = (
    *("parquet", "windows", "groups", "labels", "number-windows"),
    *("tokens", "scattered", "shuffled"),
)
TEXTS = (
    *("csv", "strings", "predict", "numbers", "dropped", "families"),
    *("forecast", "predict-forecast"),
)
STRINGS = ("strings", "families")
OPTIONS = {
    "images": {},
    "strings": {"label_column": "label", "text_column": "dna"},
    "families": {
        "label_column": "label",
        "text_column": "dna",
        "split_group": "family",
    },
    "windows": {"label_column": "label", "window": 50, "stride": 25},
    "groups": {"label_column": "label", "group_column": "recording"},
    "numbers": {"label_column": "number", "ignore_column": "label"},
    "labels": {
        "label_column": ["hot", "wet", "old"],
        "ignore_column": "label",
    },
    "dropped": {"label_column": "label", "drop_missing": True},
    "tokens": {
        "label_column": "label",
        "window": 50,
        "stride": 25,
        "task_type": "tokens",
    },
    "number-windows": {
        "label_column": "number",
        "ignore_column": "label",
        "window": 50,
        "stride": 25,
    },
    "npz": {"fill": "median"},
    "scattered": {"label_column": "label", "group_column": "recording"},
    "shuffled": {
        "label_column": "label",
        "window": 50,
        "stride": 25,
        "group_column": "station",
        "time_column": "hour",
    },
    "forecast": {
        "task_type": "forecast",
        "target_column": ["x0", "x1"],
        "group_column": "station",
        "time_column": "hour",
        "horizon": 24,
        "context": 96,
    },
}
OPTIONS["predict-forecast"] = OPTIONS["forecast"]
# The rows of a station of these kinds.
STATIONS = {
    "forecast": 2_000_000,
    "predict-forecast": 1_000,
    "shuffled": 100_000,
}
STEP = 7919  # A prime, so that each place comes once if it divides no size
MISSING = 0.01
TOKENS = 20
COLUMNS = 4
ROWS_AT_ONCE = 500_000
IMAGE_SIDE = 32
CLASSES = ("no", "yes")
EVALUATED_BATCHES = 5


def main():
    arguments = parse()
    if arguments.make:
        make(arguments.make, arguments.kinds[0], arguments.sizes[0])
        return
    if arguments.train:
        print(json.dumps(train(arguments)))
        return
    print(
        "| data | examples | seconds to read | of the CPU | ms per step | "
        "peak (GB) |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: |", flush=True)
    for kind in arguments.kinds:
        peaks = []
        for size in arguments.sizes or SIZES[kind]:
            row = measure(kind, size, arguments)
            peaks.append(row["peak"])
            print(
                f"| {kind} | {size:,} | {row['read']:.0f} | {row['cpu']:.0f} | "
                f"{1000 * row['step']:.0f} | {row['peak']:.2f} |",
                flush=True,
            )
        print(f"\n{kind}: ratio of the peaks {peaks[-1] / peaks[0]:.2f}\n")


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--kinds", nargs="+", choices=SIZES, default=[*SIZES])
    parser.add_argument("--sizes", nargs="+", type=int)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--folder", help="where the data is made for a while")
    parser.add_argument(
        "--in-memory",
        type=int,
        help="data of more bytes is read in parts; by default the package's",
    )
    parser.add_argument("--make", help=argparse.SUPPRESS)
    parser.add_argument("--train", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(kind, size, arguments):
    """The result of `train` with data of one size."""
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        texts = dict.fromkeys(TEXTS, ".csv")
        files = {"npy": ".npy", "npz": ".npz", "fasta": ".fasta", **texts}
        suffix = files.get(kind, "")
        path = pathlib.Path(folder, "data" + suffix)
        options = ["--kinds", kind, "--sizes", str(size)]
        options += ["--steps", str(arguments.steps)]
        if arguments.in_memory is not None:
            options += ["--in-memory", str(arguments.in_memory)]
        run([*options, "--make", str(path)])
        printed = run([*options, "--train", str(path)])
        return json.loads(printed.splitlines()[-1])


def run(options):
    """What this program prints in its own process."""
    command = [sys.executable, __file__, *options]
    result = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True
    )
    return result.stdout


def make(path, kind, size):
    path = pathlib.Path(path)
    if kind == "images":
        make_images(path, size)
        return
    if kind == "npy":
        make_arrays(path, size)
        return
    if kind == "npz":
        make_padded(path, size)
        return
    if kind == "saved":
        make_saved(path, size)
        return
    if kind == "fasta":
        make_fasta(path, size)
        return
    if kind in FOLDERS:
        path.mkdir()
    for number, start in enumerate(range(0, size, ROWS_AT_ONCE)):
        make_rows = random_strings if kind in STRINGS else random_rows
        rows = make_rows(number, min(ROWS_AT_ONCE, size - start))
        if kind == "groups":
            rows["recording"] = np.arange(start, start + len(rows)) // WINDOW
            rows["label"] = rows["label"].to_numpy()[
                np.arange(len(rows)) // WINDOW * WINDOW
            ]
        if kind in STATIONS:
            place = np.arange(start, start + len(rows))
            rows["station"] = place // STATIONS[kind]
            rows["hour"] = place % STATIONS[kind]
        if kind == "scattered":
            place = np.arange(start, start + len(rows))
            rows["recording"] = place % (size // WINDOW)
            rows["label"] = np.array(CLASSES)[rows["recording"] % 2]
        if kind == "shuffled":
            place = np.arange(start, start + len(rows)) * STEP % size
            rows["station"] = place // STATIONS[kind]
            rows["hour"] = place % STATIONS[kind]
        add_columns(rows, kind, number)
        if kind in FOLDERS:
            rows.to_parquet(path / f"part-{number:04}.parquet", index=False)
        else:
            append_csv(path, rows, header=not number)


def add_columns(rows, kind, seed):
    """What only some kinds of data have."""
    rng = np.random.default_rng([seed, 1])
    if kind in ("numbers", "number-windows"):
        rows["number"] = rows["x0"] + rng.normal(size=len(rows)).round(4)
    if kind == "labels":
        for name in OPTIONS[kind]["label_column"]:
            rows[name] = rng.integers(0, 2, len(rows))
    if kind == "families":
        rows["family"] = rng.integers(0, 1000, len(rows))
    if kind == "dropped":
        rows.loc[rng.random(len(rows)) < MISSING, "x1"] = np.nan


def append_csv(path, rows, header):
    import pyarrow as pa
    import pyarrow.csv

    numbers = rows.select_dtypes("float32").astype(float).round(4)
    table = pa.Table.from_pandas(rows.assign(**numbers), preserve_index=False)
    options = pyarrow.csv.WriteOptions(
        include_header=header, quoting_style="none"
    )
    with path.open("ab") as file:
        pyarrow.csv.write_csv(table, file, options)


def random_rows(seed, count):
    import pandas as pd

    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, COLUMNS)).astype(np.float32)
    is_yes = x[:, 0] + rng.normal(size=count) > 0
    rows = {f"x{i}": x[:, i] for i in range(COLUMNS)}
    return pd.DataFrame({**rows, "label": np.where(is_yes, *CLASSES[::-1])})


def random_strings(seed, count):
    import pandas as pd

    rng = np.random.default_rng(seed)
    letters = rng.choice(np.frombuffer(b"ACGT", np.uint8), (count, 40))
    texts = letters.view("S40").ravel().astype(str)
    label = np.where((letters == 65).mean(axis=1) > 0.25, *CLASSES[::-1])
    return pd.DataFrame({"dna": texts, "label": label})


def make_arrays(path, size):
    rng = np.random.default_rng(0)
    shape = (size, TOKENS, COLUMNS)
    x = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    for start in range(0, size, ROWS_AT_ONCE):
        part = x[start : start + ROWS_AT_ONCE]
        part[:] = rng.normal(size=part.shape)
    np.save(path.with_suffix(".labels.npy"), (x[:, 0, 0] > 0).astype(np.uint8))


def make_padded(path, size):
    unpacked = path.with_suffix(".npy")
    make_arrays(unpacked, size)
    rng = np.random.default_rng(1)
    x = np.load(unpacked, mmap_mode="r+")
    for start in range(0, size, ROWS_AT_ONCE):
        part = x[start : start + ROWS_AT_ONCE]
        part[rng.random(part.shape) < MISSING] = np.nan
    y = np.load(unpacked.with_suffix(".labels.npy"))
    lengths = rng.integers(TOKENS // 2, TOKENS + 1, size)
    np.savez(path, x=x, y=y, lengths=lengths)


def make_saved(path, size):
    import pyarrow as pa

    path.mkdir()
    rng = np.random.default_rng(0)
    feature = {"names": list(CLASSES), "_type": "ClassLabel"}
    state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}
    (path / "state.json").write_text(json.dumps(state))
    info = {"features": {"label": feature}}
    (path / "dataset_info.json").write_text(json.dumps(info))
    kind = pa.list_(pa.list_(pa.float32(), COLUMNS))
    schema = pa.schema([("x", kind), ("label", pa.int64())])
    with (
        pa.OSFile(str(path / state["_data_files"][0]["filename"]), "wb") as f,
        pa.ipc.new_stream(f, schema) as writer,
    ):
        for start in range(0, size, 1000):
            count = min(1000, size - start)
            lengths = rng.integers(TOKENS // 2, TOKENS + 1, count)
            values = rng.normal(size=(lengths.sum(), COLUMNS)).astype("f4")
            tokens = pa.FixedSizeListArray.from_arrays(
                pa.array(values.ravel()), COLUMNS
            )
            offsets = pa.array(np.append(0, lengths.cumsum()).astype("i4"))
            x = pa.ListArray.from_arrays(offsets, tokens)
            label = pa.array(rng.integers(0, 2, count))
            batch = pa.record_batch([x.cast(kind), label], schema=schema)
            writer.write_batch(batch)


def make_fasta(path, size):
    rng = np.random.default_rng(0)
    alphabet = np.frombuffer(b"ACDEFGHIKLMNPQRSTVWY", np.uint8)
    with path.open("w") as file, path.with_suffix(".csv").open("w") as table:
        table.write("id,label\n")
        for i in range(size):
            letters = rng.choice(alphabet, rng.integers(50, 151))
            text = letters.tobytes().decode()
            file.write(f">record{i} made by a program\n{text}\n")
            table.write(f"record{i},{CLASSES[text.count('A') > 5]}\n")


def make_images(path, size):
    from PIL import Image

    rng = np.random.default_rng(0)
    for name in CLASSES:
        (path / name).mkdir(parents=True)
    for i in range(size):
        label = i % len(CLASSES)
        shape = (IMAGE_SIDE, IMAGE_SIDE, 3)
        pixels = rng.integers(0, 200 + 55 * label, shape, np.uint8)
        Image.fromarray(pixels).save(path / CLASSES[label] / f"{i}.png")


def train(arguments):
    from keras_fpt.tasks.user_data import from_path, sequences

    if arguments.in_memory is not None:
        sequences.MAX_BYTES_IN_MEMORY = arguments.in_memory
    if arguments.kinds[0].startswith("predict"):
        return predict(pathlib.Path(arguments.train), arguments)
    started, cpu = time.perf_counter(), time.process_time()
    kind = arguments.kinds[0]
    options = OPTIONS.get(kind, {"label_column": "label"})
    if kind == "npy":
        path = pathlib.Path(arguments.train)
        options = {"labels": path.with_suffix(".labels.npy")}
    if kind == "fasta":
        path = pathlib.Path(arguments.train)
        options["labels"] = path.with_suffix(".csv")
    task = from_path(arguments.train, **options)
    task.data.fingerprint  # noqa: B018
    read = time.perf_counter() - started
    cpu = time.process_time() - cpu
    model = model_class(task).from_preset("gpt2_tiny_en", task=task)
    data = task.datasets()
    model.fit(data.train, steps_per_epoch=2, verbose=0)
    started = time.perf_counter()
    model.fit(data.train, steps_per_epoch=arguments.steps, verbose=0)
    step = (time.perf_counter() - started) / arguments.steps
    for split in (data.validation, data.test):
        model.evaluate(split.take(EVALUATED_BATCHES), verbose=0)
    return {"read": read, "cpu": cpu, "step": step, "peak": peak()}


def model_class(task):
    import keras_fpt

    if task.is_forecast:
        return keras_fpt.FPTForecaster
    if task.is_regression:
        return keras_fpt.FPTRegressor
    if task.is_multilabel:
        return keras_fpt.FPTMultiLabelClassifier
    if task.is_per_token:
        return keras_fpt.FPTTokenClassifier
    return keras_fpt.FPTClassifier


def predict(path, arguments):
    import itertools

    from keras_fpt import runs

    first, folder = path.with_name("first.csv"), path.with_name("run")
    with path.open() as file:
        first.write_text("".join(itertools.islice(file, FIRST_ROWS + 1)))
    options = OPTIONS.get(arguments.kinds[0], {"label_column": "label"})
    config = runs.RunConfig(
        str(first), "gpt2_tiny_en", steps=arguments.steps, options=options
    )
    started, cpu = time.perf_counter(), time.process_time()
    runs.train(config, folder)
    trained, cpu = time.perf_counter(), time.process_time() - cpu
    count = 0
    for frame in runs.predict_in_blocks(
        folder, path, path.with_name("predictions.csv")
    ):
        count += len(frame)
    step = (time.perf_counter() - trained) / count * 1000
    read = trained - started
    return {"read": read, "cpu": cpu, "step": step, "peak": peak()}


def peak():
    """The peak of the resident memory of this process, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
