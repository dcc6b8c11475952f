"""Measure time and memory of a training step in several systems.

    pip install -e ".[jax,torch,benchmark]"
    python benchmarks/training_steps.py > benchmarks/RESULTS.md

The systems are this package, plain Keras and the paper's recipe. Each
measurement runs in its own process, and the systems take turns, so that other
load on the machine affects all of them equally. The first step is timed from
the call of `fit` and includes compilation; then each step is timed separately.
The peak is the process's peak resident memory from the first step on (Linux's
`VmHWM`).
"""

import argparse
import collections
import contextlib
import dataclasses
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import start_up
import step_systems

BASE = {"num_layers": 12, "hidden_dim": 768, "num_heads": 12}
TINY = {"num_layers": 4, "hidden_dim": 256, "num_heads": 4}
SHAPES = {
    "tiny-64": step_systems.Shape(**TINY, batch_size=64, tokens=64),
    "base-64": step_systems.Shape(**BASE, batch_size=16, tokens=64),
    "base-120": step_systems.Shape(**BASE, batch_size=16, tokens=120),
    "base-512": step_systems.Shape(**BASE, batch_size=4, tokens=512),
    "base-1024": step_systems.Shape(**BASE, batch_size=4, tokens=1024),
}
SYSTEMS = [
    ("reference", "torch"),
    ("plain_keras", "torch"),
    ("keras_fpt", "torch"),
    ("plain_keras", "jax"),
    ("keras_fpt", "jax"),
    ("plain_keras", "tensorflow"),
    ("plain_keras_without_xla", "tensorflow"),
    ("keras_fpt", "tensorflow"),
]


def main():
    arguments = parse()
    if arguments.worker:
        print(json.dumps(measure(*arguments.worker, arguments)))
        return
    print(heading(), flush=True)
    print(start_up.table(arguments.backends, arguments.starts), flush=True)
    for shape in arguments.shapes:
        print(table(shape, measure_all(shape, arguments)), flush=True)


def heading():
    """Markdown that says how, and on which machine, the tables were made."""
    cpu = pathlib.Path("/proc/cpuinfo").read_text()
    (model, *_) = (s for s in cpu.splitlines() if s.startswith("model name"))
    packages = ["keras", "keras-hub", "tensorflow", "jax", "torch"]
    versions = []
    for name in [*packages, "transformers"]:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions.append(f"{name} {importlib.metadata.version(name)}")
    command = " ".join(["python benchmarks/training_steps.py", *sys.argv[1:]])
    return (
        f"# Training steps\n\n`{command}` on {os.cpu_count()} cores of an "
        f"{model.partition(':')[2].strip()}, with {', '.join(versions)}. "
        "[README.md](README.md#training-steps) explains the columns."
    )


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=SHAPES)
    parser.add_argument(
        "--backends", nargs="+", default=["torch", "jax", "tensorflow"]
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="processes per system"
    )
    parser.add_argument(
        "--starts", type=int, default=7, help="processes per start-up command"
    )
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="timed seconds per process"
    )
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument(
        "--dtype", default="float32", help="e.g. mixed_bfloat16"
    )
    parser.add_argument(
        "--precisions",
        nargs="+",
        choices=["float32", "bfloat16"],
        default=["float32"],
        help="of keras_fpt's products of frozen weights, a row each",
    )
    parser.add_argument(
        "--steps-per-execution",
        type=int,
        default=1,
        help="steps that Keras executes at once",
    )
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def systems(arguments):
    """The names and backends of the systems; of this package by precision."""
    for name, backend in SYSTEMS:
        if name != "keras_fpt":
            yield name, backend
            continue
        for precision in arguments.precisions:
            suffix = f":{precision}" if precision != "float32" else ""
            yield name + suffix, backend


def measure_all(shape, arguments):
    """Dict from each system to the results of its processes."""
    results = collections.defaultdict(list)
    for _ in range(arguments.rounds):
        for system in systems(arguments):
            missing = missing_packages(*system)
            if system[1] not in arguments.backends:
                continue
            if missing:
                print(f"{system}: not run, since {missing} is not installed.")
                continue
            result = measure_in_process(shape, *system, arguments)
            results[system].append(result)
    return results


def missing_packages(system, backend):
    needed = [backend] + ["transformers"] * (system == "reference")
    absent = [name for name in needed if not importlib.util.find_spec(name)]
    return ", ".join(absent)


def measure_in_process(shape, system, backend, arguments):
    """The result of `measure` in its own process."""
    flags = {
        "seconds": arguments.seconds,
        "dropout": arguments.dropout,
        "dtype": arguments.dtype,
        "steps-per-execution": arguments.steps_per_execution,
    }
    process = subprocess.run(
        [
            *(sys.executable, __file__, "--worker", shape, system),
            *(f"--{name}={value}" for name, value in flags.items()),
        ],
        env={"TF_CPP_MIN_LOG_LEVEL": "3"}
        | os.environ
        | {"KERAS_BACKEND": backend},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    result = json.loads(process.stdout.splitlines()[-1])
    print(f"{shape} {system} {backend}: {result}", file=sys.stderr, flush=True)
    return result


def measure(name, system, arguments):
    system, _, precision = system.partition(":")
    shape = dataclasses.replace(
        SHAPES[name],
        dropout=arguments.dropout,
        dtype=arguments.dtype,
        precision=precision or "float32",
        steps_per_execution=arguments.steps_per_execution,
    )
    peak_flops = matrix_multiply_peak()
    train = getattr(step_systems, system)(shape)
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    first = timed(train, 1)
    second = train(1)[0]
    steps = train(max(3, round(arguments.seconds / second)))
    return {
        "first": first,
        "steps": steps,
        "gibibytes": peak_memory() / 2**20,
        "share": shape.flops / statistics.median(steps) / peak_flops,
    }


def timed(function, *arguments):
    began = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - began


def matrix_multiply_peak():
    """Floating-point operations per second of NumPy's float32 product."""
    import numpy as np

    size = 2048
    matrix = np.ones((size, size), "float32")
    return 2 * size**3 / min(timed(np.dot, matrix, matrix) for _ in range(5))


def peak_memory():
    """The process's peak resident memory, in KiB."""
    status = pathlib.Path("/proc/self/status").read_text()
    (line,) = (s for s in status.splitlines() if s.startswith("VmHWM"))
    return int(line.split()[1])


def table(shape, results):
    """A Markdown table of medians over processes, and of their ratios."""
    seconds, first, memory, share = {}, {}, {}, {}
    for system, runs in results.items():
        seconds[system] = [step for run in runs for step in run["steps"]]
        first[system] = statistics.median(run["first"] for run in runs)
        memory[system] = statistics.median(run["gibibytes"] for run in runs)
        share[system] = statistics.median(run["share"] for run in runs)
    medians = {name: statistics.median(s) for name, s in seconds.items()}

    def ratio(values, other, system):
        return (
            f"{values[other] / values[system]:.2f}" if other in values else ""
        )

    reference, lines = ("reference", "torch"), []
    for system in results:
        name, backend = system
        plain = ("plain_keras", backend)
        lower, _, upper = statistics.quantiles(seconds[system], n=4)
        cells = [
            f"`{name}`",
            backend,
            f"{medians[system]:.3g} ({lower:.3g}-{upper:.3g})",
            ratio(medians, reference, system),
            ratio(medians, plain, system),
            f"{first[system]:.1f}",
            ratio(first, plain, system),
            f"{memory[system]:.2f}",
            f"{100 * share[system]:.0f} %",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    setting = SHAPES[shape]
    title = (
        f"\n### {shape}: {setting.num_layers} x {setting.hidden_dim}, "
        f"{setting.batch_size} sequences of {setting.tokens} tokens\n\n"
    )
    header = (
        "| system | backend | s/step (quartiles) | throughput / reference | "
        "throughput / plain Keras | first step, s | first-step speedup | "
        "peak GiB | of peak flop/s |\n"
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
    )
    return title + header + "\n".join(lines)


if __name__ == "__main__":
    main()
