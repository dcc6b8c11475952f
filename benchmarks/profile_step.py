"""Prints where the time of a training step goes, on each backend.

    pip install -e ".[all,benchmark]"
    OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 python benchmarks/profile_step.py

Each backend runs in its own process, without the profiler and then with it. A
step's time is that of the processor, on which other work may run; the shares
are those of the profiler's events. XLA fuses operations: a fused one counts as
the first group of `GROUPS` that it has an operation of, and products within
attention count as products.
"""

import argparse
import collections
import glob
import json
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import step_systems
import training_steps

PRODUCTS, ATTENTION = "products of two matrices", "products within attention"
DROPOUT, GELU, NORM = "dropout", "GELU", "layer norms"
SOFTMAX, COPIES = "softmax", "copies and transposes"
# Patterns of the names of operations: of PyTorch, TensorFlow and XLA.
GROUPS = {
    PRODUCTS: r"aten::(addmm|mm)|(Fused)?MatMul|dot|convolution",
    ATTENTION: r"aten::(bmm|baddbmm)|(Fused)?BatchMatMulV2",
    DROPOUT: r"_Dropout\w*|StatelessRandom\w+|SelectV2|GreaterEqual|Bitcast"
    r"|aten::ge_|xor|shift-right-logical",
    # The one with a long name is XLA on TensorFlow, which computes only GELU.
    GELU: r"aten::gelu\w*|Sigmoid|ExecuteAsyncOnStream|logistic|negate",
    NORM: r"aten::native_layer_norm\w*|Rsqrt|rsqrt",
    SOFTMAX: r"aten::_softmax\w*|Softmax|exponential",
    COPIES: r"aten::(copy_|cat|clone|index\w*)|Transpose|ConcatV2|Pack|Unpack"
    r"|StridedSlice\w*|BroadcastTo|transpose|concatenate|copy|pad|slice",
}
ELEMENTWISE = "other elementwise operations and sums"
ROWS = [*GROUPS, ELEMENTWISE]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--backends", nargs="+", default=["torch", "jax", "tensorflow"]
    )
    parser.add_argument(
        "--shape", choices=training_steps.SHAPES, default="base-64"
    )
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        print(json.dumps(profile(arguments.shape, arguments.steps)))
        return
    found = {b: in_process(b, arguments) for b in arguments.backends}
    print(table(found))


def in_process(backend, arguments):
    with tempfile.TemporaryDirectory() as folder:
        dump = f"--xla_dump_to={folder} --xla_dump_hlo_as_text"
        flags = f"{os.environ.get('XLA_FLAGS', '')} {dump}"
        process = subprocess.run(
            [
                *(sys.executable, __file__, "--worker"),
                *("--shape", arguments.shape),
                *("--steps", str(arguments.steps)),
            ],
            env={"TF_CPP_MIN_LOG_LEVEL": "3"}
            | os.environ
            | {"KERAS_BACKEND": backend, "PROFILE_DUMP": folder}
            | ({"XLA_FLAGS": flags} if backend == "jax" else {}),
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    return json.loads(process.stdout.splitlines()[-1])


def profile(name, steps):
    """The times of a step, and the share of each group."""
    import keras

    shape = training_steps.SHAPES[name]
    train = step_systems.keras_fpt(shape)
    train(2)
    spent = []
    for _ in range(steps):
        before = resource.getrusage(resource.RUSAGE_SELF)
        train(1)
        spent.append((before, resource.getrusage(resource.RUSAGE_SELF)))

    def median(field):
        return statistics.median(
            getattr(after, field) - getattr(before, field)
            for before, after in spent
        )

    backend = keras.backend.backend()
    events = globals()[f"profile_{backend}"](train)
    groups = collections.Counter()
    for operation, seconds in events.items():
        groups[group_of(operation)] += seconds
    total = sum(groups.values())
    return {
        "user": median("ru_utime"),
        "system": median("ru_stime"),
        "pages": median("ru_minflt"),
        "products": shape.flops / product_peak(),
        "shares": {key: value / total for key, value in groups.items()},
    }


def group_of(operations):
    """The group of an event, given the names of its operations."""
    names = operations.split()
    for group, pattern in GROUPS.items():
        if any(re.fullmatch(pattern, name) for name in names):
            return group
    return ELEMENTWISE


def product_peak():
    """Operations per second of processor time of NumPy's float32 product."""
    import numpy as np

    a, b = np.ones((1024, 768), "float32"), np.ones((768, 3072), "float32")
    best = float("inf")
    for _ in range(9):
        began = time.process_time()
        np.dot(a, b)
        best = min(best, time.process_time() - began)
    return 2 * a.size * b.shape[1] / best


def profile_torch(train):
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        train(2)
    return {
        event.key: event.self_cpu_time_total
        for event in profiler.key_averages()
        # Python, and not the step, spends the rest.
        if event.key.startswith(("aten::", "_"))
    }


def profile_tensorflow(train):
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    found = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            train(2)
        space = xplane_pb2.XSpace()
        space.ParseFromString(profile_file(folder).read_bytes())
    for plane in space.planes:
        for line in plane.lines:
            if not line.name.startswith("tf_Compute"):
                continue
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                _, is_operation, kind = name.rpartition(":")
                if is_operation and not name.startswith("ExecutorState"):
                    # As they are called without oneDNN, which renames them.
                    kind = re.sub(r"^_(Mkl)?(Native)?", "", kind)
                    found[kind] += event.duration_ps
    return found


def profile_jax(train):
    import jax

    found = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            train(2)
        data = jax.profiler.ProfileData.from_file(str(profile_file(folder)))
    operations = operations_of_step(os.environ["PROFILE_DUMP"])
    for plane in data.planes:
        for line in plane.lines:
            for event in line.events:
                name = dict(event.stats).get("hlo_op")
                if name in operations:
                    found[operations[name]] += event.duration_ns
    return found


def profile_file(folder):
    return next(pathlib.Path(folder).rglob("*.xplane.pb"))


def operations_of_step(folder):
    """The operations within each instruction of XLA's step, by its name."""
    pattern = f"{folder}/*jit_train_step*cpu_after_optimizations.txt"
    text = max(map(pathlib.Path, glob.glob(pattern)), key=os.path.getsize)
    computations, body, found = {}, None, {}
    for line in text.read_text().splitlines():
        start = re.match(r"(?:ENTRY )?%?([\w.-]+) .*\{$", line)
        if start:
            body = computations.setdefault(start[1], [])
            continue
        instruction = re.match(
            r"\s+(?:ROOT )?%?([\w.-]+) = (?:\([^=]*\)|\S+) ([\w-]+)\(", line
        )
        if instruction and body is not None:
            name, operation = instruction.groups()
            calls = re.findall(r"(?:calls|to_apply)=%?([\w.-]+)", line)
            body.append((name, operation, calls))

    def within(operation, calls):
        yield operation
        for call in calls:
            for _, inner, further in computations.get(call, ()):
                yield from within(inner, further)

    for body in computations.values():
        for name, operation, calls in body:
            # What a call runs has events of its own.
            if operation not in ("call", "while"):
                found[name] = " ".join(sorted(set(within(operation, calls))))
    return found


def table(found):
    """A Markdown table with a column for each backend."""

    def row(title, cells):
        return "| " + " | ".join([title, *cells]) + " |"

    def of_all(text):
        return [text(one) for one in found.values()]

    lines = [
        row("", found),
        row("---", ["---:"] * len(found)),
        row("CPU s/step", of_all(lambda x: f"{x['user'] + x['system']:.2f}")),
        row(
            "of them in the system, for memory",
            of_all(lambda x: f"{x['system']:.2f}"),
        ),
        row(
            "new pages of 4 KiB per step",
            of_all(lambda x: f"{x['pages']:,.0f}"),
        ),
        row(
            "all products at NumPy's peak, s",
            of_all(lambda x: f"{x['products']:.2f}"),
        ),
    ]
    for group in ROWS:
        share = of_all(lambda x, g=group: f"{x['shares'].get(g, 0):.1%}")
        lines.append(row(group, share))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
