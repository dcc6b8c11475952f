"""Measure the peak memory of training a preset, frozen and finetuned.

    python benchmarks/memory.py --preset path/to/SmolLM2-135M

The variants include fewer bits per weight. Each one trains in its own process,
on random tokens. Its peak is the process's peak resident memory from the first
step on (Linux's `VmHWM`, reset after the model is loaded). It therefore
includes the libraries, the weights, the optimizer's slots and the activations,
but not the memory that loading needed.
"""

import argparse
import json
import pathlib
import subprocess
import sys

VARIANTS = {
    "finetune": {"policy": "full"},
    "finetune, mixed_bfloat16": {"policy": "full", "dtype": "mixed_bfloat16"},
    "fpt": {},
    "fpt, mixed_bfloat16": {"dtype": "mixed_bfloat16"},
    "fpt, int8": {"quantize": "int8"},
    "fpt, int4": {"quantize": "int4"},
}
WIDTH = 16


def main():
    arguments = parse()
    if arguments.variant:
        print(json.dumps(measure(arguments)))
        return
    rows = {name: measure_in_process(name) for name in VARIANTS}
    print(table(rows))


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--preset", required=True)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument(
        "--variant", choices=VARIANTS, help="measure only this one"
    )
    return parser.parse_args()


def measure_in_process(variant):
    """The result of `measure` in its own process."""
    result = subprocess.run(
        [sys.executable, *sys.argv, "--variant", variant],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(result.stdout.splitlines()[-1])


def measure(arguments):
    import numpy as np

    from keras_fpt import FPTClassifier

    libraries = memory("VmRSS")
    model = FPTClassifier.from_preset(
        arguments.preset, input_dim=WIDTH, **VARIANTS[arguments.variant]
    )
    loaded = memory("VmRSS")
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    generator = np.random.default_rng(0)
    shape = (arguments.batch_size, arguments.tokens, WIDTH)
    for _ in range(arguments.steps):
        x = generator.normal(size=shape).astype("float32")
        model.train_on_batch(x, generator.integers(0, 2, len(x)))
    return {
        "libraries": libraries,
        "loaded": loaded,
        "peak": memory("VmHWM"),
    }


def memory(name):
    """An entry of `/proc/self/status`, in megabytes."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise KeyError(name)


def table(rows):
    """A Markdown table; the ratio to `finetune` excludes the libraries."""

    def needed(row):
        return row["peak"] - row["libraries"]

    lines = [
        "| training | peak, MB | of which libraries, MB | ratio to "
        "`finetune` |",
        "| --- | --- | --- | --- |",
    ]
    for name, row in rows.items():
        ratio = needed(row) / needed(rows["finetune"])
        lines.append(
            f"| {name} | {row['peak']:,.0f} | {row['libraries']:,.0f} "
            f"| {ratio:.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
