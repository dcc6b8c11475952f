"""Measure training on a GPU, most important cells first, within a few minutes.

    python benchmarks/accelerator.py --results accelerator.jsonl --minutes 7
    python benchmarks/accelerator.py --results accelerator.jsonl --table

Each cell is measured in its own process, and its row is appended to the file
of results at once. Repeat the command to continue: cells that have a row are
not measured again. The next processes import their packages while one measures.
`accelerator_cells.py` says what a cell is and how it is measured.
"""

import argparse
import collections
import dataclasses
import importlib.util
import itertools
import json
import os
import pathlib
import subprocess
import sys
import time

import accelerator_cells
import accelerator_table
from accelerator_cells import OUT_OF_MEMORY, Cell

BACKENDS = ["torch", "jax", "tensorflow"]
MAIN = [(64, 64), (512, 16), (1024, 16)]  # tokens, batch size
BATCH_SIZES = [16, 64, 128, 256, 512]
PRECISIONS = ["bfloat16", "float32", "tf32"]
STARTED_AHEAD = 2  # processes that import while another one measures
CELL_SECONDS = 120
JAX_PRECISION = {"float32": "highest", "tf32": "default"}


def main():
    arguments = parse()
    path = pathlib.Path(arguments.results)
    if arguments.table:
        print(accelerator_table.tables(rows_of(path)))
        return
    deadline = time.monotonic() + 60 * arguments.minutes
    backends = [name for name in arguments.backends if is_usable(name)]
    cells = smoke_plan(backends) if arguments.smoke else plan(backends)
    measure_all(cells, path, deadline, arguments.smoke)


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--results", default="accelerator.jsonl", help="JSON lines, resumed"
    )
    parser.add_argument(
        "--minutes", type=float, default=8.0, help="when to stop measuring"
    )
    parser.add_argument(
        "--backends", nargs="+", choices=BACKENDS, default=BACKENDS
    )
    parser.add_argument(
        "--table", action="store_true", help="print the results as Markdown"
    )
    parser.add_argument(
        "--smoke", action="store_true", help="tiny shapes, also on a CPU"
    )
    return parser.parse_args()


def is_usable(backend):
    """Whether a backend is installed and, if TensorFlow, sees a GPU."""
    needed = [backend] + ["transformers"] * (backend == "torch")
    absent = [name for name in needed if not importlib.util.find_spec(name)]
    if absent:
        print(f"{backend}: left out, {', '.join(absent)} is not installed.")
    elif backend == "tensorflow":
        # Its packages for CPUs and GPUs have the same name.
        code = "import tensorflow as t; print(t.config.list_physical_devices())"
        process = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True
        )
        if "GPU" not in process.stdout:
            print("tensorflow: left out, it finds no GPU.")
            return False
    return not absent


def plan(backends):
    """The cells, in the order in which they are measured."""

    def steps(models, shapes, precisions, systems, dropout=0.1):
        for precision, model, shape, backend, system in itertools.product(
            precisions, models, shapes, backends, systems
        ):
            if system != "reference" or backend == "torch":
                yield Cell(
                    *("step", system, backend, precision, model, *shape),
                    dropout,
                )

    ours = ["reference", "keras_fpt"]
    every = [*ours, "plain_keras"]
    more = list(itertools.product((64, 512, 1024), BATCH_SIZES))
    cells = [
        *(
            cell
            for backend in backends
            for cell in (
                *(one_by_one(backend, runs) for runs in (1, 8)),
                *(in_one_step(backend, runs) for runs in (1, 8, 32)),
            )
        ),
        *steps(["base"], MAIN, ["bfloat16"], every),
        *steps(["base"], MAIN, ["float32", "tf32"], ours),
        *steps(["large"], MAIN, ["bfloat16"], ours),
        *(Cell("features", "keras_fpt", b, "bfloat16") for b in backends),
        *steps(["base"], MAIN, ["bfloat16"], ours, dropout=0.0),
        *(one_by_one("torch", 32) for _ in backends if "torch" in backends),
        *steps(["base"], MAIN, ["float32", "tf32"], ["plain_keras"]),
        *steps(["base"], more, ["bfloat16"], ours),
        *steps(["large"], MAIN, ["float32", "tf32"], ours),
        *steps(["large"], more, ["bfloat16"], ours),
        *steps(["base"], MAIN, ["bfloat16"], ["plain_keras"], dropout=0.0),
        *steps(["base", "large"], more, PRECISIONS, every),
        *(one_by_one(b, 32) for b in backends),
    ]
    return list(dict.fromkeys(cells))


def one_by_one(backend, runs):
    return Cell("runs", "keras_fpt", backend, "bfloat16", "tiny", runs=runs)


def in_one_step(backend, runs):
    return dataclasses.replace(one_by_one(backend, runs), kind="stack")


def smoke_plan(backends):
    """A tiny cell of each kind, system and backend."""
    for backend in backends:
        for system in ("reference", "plain_keras", "keras_fpt"):
            if system != "reference" or backend == "torch":
                yield Cell(
                    *("step", system, backend, "bfloat16", "smoke", 16, 4)
                )
        yield Cell("features", "keras_fpt", backend, "float32", "smoke", 16, 4)
        for cell in (one_by_one(backend, 1), in_one_step(backend, 2)):
            yield dataclasses.replace(cell, precision="float32")


def rows_of(path):
    """The rows of a file of results, the last one of each cell."""
    rows = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        row = json.loads(line)
        rows[Cell(**row["cell"])] = row
    return list(rows.values())


def remaining(cells, rows):
    """The cells without a row, or whose row tells of another error."""
    done = {
        Cell(**row["cell"])
        for row in rows
        if row.get("error", OUT_OF_MEMORY) == OUT_OF_MEMORY
    }
    return [cell for cell in cells if cell not in done]


def known_too_large(cell, rows):
    """Whether the same cell ran out of memory with no larger a batch."""
    return any(
        row.get("error") == OUT_OF_MEMORY
        and row["cell"]["batch_size"] <= cell.batch_size
        and {**row["cell"], "batch_size": 0}
        == {**dataclasses.asdict(cell), "batch_size": 0}
        for row in rows
    )


def measure_all(cells, path, deadline, smoke=False):
    """Measures what has no row yet, and appends a row after each cell."""
    rows = rows_of(path)
    waiting = collections.deque(remaining(cells, rows))
    started = collections.deque()
    try:
        while waiting or started:
            seconds = deadline - time.monotonic()
            if seconds <= 0:
                print("The time is over; repeat the command to continue.")
                return
            while waiting and len(started) <= STARTED_AHEAD:
                started.append((waiting[0], start(waiting.popleft(), smoke)))
            cell, process = started.popleft()
            if known_too_large(cell, rows):
                end(process)
                result = {"error": OUT_OF_MEMORY}
            else:
                result = result_of(process, min(seconds, CELL_SECONDS))
            if result is None:
                if seconds < CELL_SECONDS:
                    continue  # Not the cell's fault.
                result = {"error": f"not finished in {CELL_SECONDS} s"}
            row = {"cell": dataclasses.asdict(cell), **result}
            rows.append(row)
            with path.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(accelerator_table.line(row), flush=True)
    finally:
        for _, process in started:
            end(process)


def start(cell, smoke):
    """A process that imports, and measures when it is told to."""
    environment = os.environ | {
        "KERAS_BACKEND": cell.backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "XLA_PYTHON_CLIENT_MEM_FRACTION": "0.95",
    }
    if cell.precision in JAX_PRECISION:
        precision = JAX_PRECISION[cell.precision]
        environment["JAX_DEFAULT_MATMUL_PRECISION"] = precision
    return subprocess.Popen(
        [
            *(sys.executable, accelerator_cells.__file__),
            *(json.dumps(dataclasses.asdict(cell)), str(int(smoke))),
        ],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result_of(process, seconds):
    """The row of a process, or `None` if it takes longer."""
    try:
        output, errors = process.communicate("measure\n", timeout=seconds)
    except subprocess.TimeoutExpired:
        end(process)
        return None
    if process.returncode:
        last = errors.strip().splitlines()[-1:] or [""]
        return {"error": f"exit status {process.returncode}: {last[0][:300]}"}
    return json.loads(output.splitlines()[-1])


def end(process):
    process.kill()
    process.communicate()


if __name__ == "__main__":
    main()
