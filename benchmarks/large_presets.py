"""Compare a large preset with the same network without pretraining.

    python benchmarks/large_presets.py --preset path/to/SmolLM2-135M

Both are trained in the same way, with the same seed, and evaluated on the first
test examples; on all of them, a large model takes hours on a CPU.
"""

import argparse
import math
import time

import keras

from keras_fpt import freezing
from keras_fpt.runs import RunConfig, build_model, resolve


def main():
    arguments = parse()
    print("| task | arm | trained parameters | test accuracy | seconds |")
    print("| --- | --- | --- | --- | --- |")
    for task in arguments.tasks:
        for arm in arguments.arms:
            print(row(task, arm, arguments), flush=True)


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--preset", required=True)
    parser.add_argument("--tasks", nargs="+", default=["bit_xor", "mnist"])
    parser.add_argument("--arms", nargs="+", default=["fpt", "random"])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--dtype")
    parser.add_argument("--quantize")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--test-examples", type=int, default=1000)
    parser.add_argument("--data-dir")
    return parser.parse_args()


def row(task_name, arm, arguments):
    """Trains one arm on one task, and returns its row of the table."""
    config = RunConfig(
        task_name,
        arguments.preset,
        arm,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        seed=arguments.seed,
        data_dir=arguments.data_dir,
    )
    run = resolve(
        config.with_settings(quantize=arguments.quantize, dtype=arguments.dtype)
    )
    keras.utils.set_random_seed(run.seed)
    model = build_model(run)
    splits = run.task.datasets(run.batch_size, run.seed)
    start = time.perf_counter()
    model.fit(splits.train, steps_per_epoch=arguments.steps, verbose=0)
    seconds = time.perf_counter() - start
    batches = math.ceil(arguments.test_examples / run.batch_size)
    result = model.evaluate(
        splits.test.take(batches), verbose=0, return_dict=True
    )
    trained = freezing.count_parameters(model.trainable_variables)
    return (
        f"| `{run.task.name}` | `{arm}` | {trained:,} "
        f"| {result['accuracy']:.1%} | {seconds:.0f} |"
    )


if __name__ == "__main__":
    main()
