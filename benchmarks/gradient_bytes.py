"""Measure the gradient bytes sent per step by FPT and by full fine-tuning.

    KERAS_BACKEND=torch torchrun --nproc-per-node 2 \
        benchmarks/gradient_bytes.py

Two processes train `gpt2_tiny_en` on this machine. The bytes that they send
are counted on the loopback interface (Linux), so nothing else should use it.
The second table is a prediction by arithmetic alone for the shape of GPT-2
base: a ring all-reduce sends 2 (n - 1) / n times the gradient from each of n
devices, and is assumed to begin when the computation has ended.
"""

import argparse
import pathlib

import keras
import numpy as np

import keras_fpt
from keras_fpt import distribution, freezing

POLICIES = ("fpt", "full")
DEVICES = (8, 64, 512)
WARM_UP, STEPS = 3, 10
BYTES = 4  # of a float32


def main():
    arguments = parse()
    with distribution.scope("data_parallel"):
        rows = {policy: measure(policy, arguments) for policy in POLICIES}
        is_first = distribution.is_first_process()
    if is_first:
        print(measured_table(rows))
        print()
        print(predicted_table(arguments))


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument(
        "--step-seconds",
        type=float,
        default=0.1,
        help="seconds of computation per step, for the prediction",
    )
    parser.add_argument(
        "--gigabits",
        type=float,
        default=25.0,
        help="Gbit/s between two devices, for the prediction",
    )
    return parser.parse_args()


def measure(policy, arguments):
    """The trained parameters, and the bytes sent per process and step."""
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    model = keras_fpt.FPTClassifier.from_preset(
        "gpt2_tiny_en", input_dim=16, policy=policy
    )
    shape = (arguments.batch_size, arguments.tokens, 16)
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    y = np.zeros(len(x), "int32")
    batches = tf.data.Dataset.from_tensors((x, y)).repeat()
    counter = Counter()
    model.fit(
        batches, steps_per_epoch=WARM_UP + STEPS, verbose=0, callbacks=[counter]
    )
    return {
        "parameters": freezing.count_parameters(model.trainable_variables),
        "sent": counter.sent / STEPS / distribution.num_processes(),
    }


class Counter(keras.callbacks.Callback):
    """Counts the bytes sent on the loopback interface after the warm-up."""

    def on_train_batch_end(self, batch, logs=None):
        if batch + 1 == WARM_UP:
            distribution.barrier()
            self.before = loopback_bytes()
        if batch + 1 == WARM_UP + STEPS:
            distribution.barrier()
            self.sent = loopback_bytes() - self.before


def loopback_bytes():
    for line in pathlib.Path("/proc/net/dev").read_text().splitlines():
        name, _, counts = line.partition(":")
        if name.strip() == "lo":
            return int(counts.split()[8])
    raise OSError("The loopback interface `lo` was not found.")


def measured_table(rows):
    lines = [
        "| policy | trained parameters | gradient, bytes | sent per process "
        "and step, bytes |",
        "| --- | --- | --- | --- |",
    ]
    for policy, row in rows.items():
        lines.append(
            f"| `{policy}` | {row['parameters']:,} "
            f"| {row['parameters'] * BYTES:,} | {row['sent']:,.0f} |"
        )
    return "\n".join(lines)


def predicted_table(arguments):
    import keras_hub

    model = keras_fpt.FPTClassifier(
        keras_hub.models.GPT2Backbone(50257, 12, 12, 768, 3072), input_dim=16
    )
    lines = [
        "| predicted for GPT-2 base | devices | sent per device and step, MB "
        "| seconds | efficiency |",
        "| --- | --- | --- | --- | --- |",
    ]
    for policy in POLICIES:
        model.set_policy(policy)
        gradient = BYTES * freezing.count_parameters(model.trainable_variables)
        for devices in DEVICES:
            sent = 2 * (devices - 1) / devices * gradient
            seconds = 8 * sent / (arguments.gigabits * 1e9)
            efficiency = arguments.step_seconds / (
                arguments.step_seconds + seconds
            )
            lines.append(
                f"| `{policy}` | {devices} | {sent / 1e6:,.2f} "
                f"| {seconds:.4f} | {efficiency:.1%} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
