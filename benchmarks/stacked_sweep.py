"""A sweep whose runs train in one step compared with one by one.

    python benchmarks/stacked_sweep.py --backends torch jax

Each is a process of its own: `keras-fpt sweep digits` of the arm `fpt`, with
four learning rates and three seeds at the best one, without dropout, so that
both ways choose the same rate. The times are those of whole processes, from
the start of Python to the last file. CPU seconds tell more than wall time on a
machine with other work.
"""

import argparse
import csv
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

PROGRAM = "from keras_fpt.cli import main; main()"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--backends", nargs="+", default=["torch", "jax", "tensorflow"]
    )
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--preset", default="gpt2_tiny_en")
    parser.add_argument("--task", default="digits")
    arguments = parser.parse_args()
    print(
        "| backend | steps | one by one, CPU s | in one step, CPU s | ratio "
        "| one by one, wall s | in one step, wall s | largest difference of a "
        "validation loss |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    )
    for backend in arguments.backends:
        print(line(backend, arguments), flush=True)


def line(backend, arguments):
    with tempfile.TemporaryDirectory() as folder:
        ways = [
            sweep(backend, stack, pathlib.Path(folder, stack), arguments)
            for stack in ("off", "32")
        ]
    (alone_cpu, alone_wall, alone), (cpu, wall, stacked) = ways
    difference = max(abs(stacked[name] - alone[name]) for name in alone)
    cells = [backend, str(arguments.steps)]
    cells += [f"{alone_cpu:.0f}", f"{cpu:.0f}", f"{alone_cpu / cpu:.2f}"]
    cells += [f"{alone_wall:.0f}", f"{wall:.0f}", f"{difference:.1e}"]
    return f"| {' | '.join(cells)} |"


def sweep(backend, stack, folder, arguments):
    """CPU and wall seconds, and the last validation loss of each run."""
    command = [
        *("sweep", arguments.task, "--preset", arguments.preset),
        *("--steps", str(arguments.steps), "--set", "dropout=0"),
        *("--arm", "fpt", "--extensions", "0", "--seeds", "3"),
        *("--search", "learning_rate=3e-4,1e-3,3e-3,1e-2"),
        *("--stack", stack, "--output", str(folder)),
    ]
    before, began = cpu_seconds(), time.monotonic()
    subprocess.run(
        [sys.executable, "-c", PROGRAM, *command],
        env={**os.environ, "KERAS_BACKEND": backend},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    seconds = cpu_seconds() - before, time.monotonic() - began
    losses = {}
    for path in sorted(folder.glob("runs/*/history.csv")):
        *_, last = csv.DictReader(path.read_text().splitlines())
        losses[path.parent.name] = float(last["validation_loss"])
    return *seconds, losses


def cpu_seconds():
    """The CPU seconds of all processes that this one has waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
