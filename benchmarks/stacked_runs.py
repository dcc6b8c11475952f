"""Runs in one step compared with the same runs one by one, on a CPU or a GPU.

    KERAS_BACKEND=torch python benchmarks/stacked_runs.py --runs 4 12

The runs are those of a sweep: `gpt2_tiny_en` on `digits`, at several learning
rates, dropout 0.1. Both ways take turns, `--rounds` times each; the times are
medians, with those of compilation.
"""

import argparse
import statistics
import time

import keras

from keras_fpt import FPTClassifier, tasks
from keras_fpt.models import StackedClassifiers, paper_optimizer

RATES = (3e-4, 1e-3, 3e-3, 1e-2)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--runs", type=int, nargs="+", default=[4, 12])
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--steps", type=int, default=10, help="in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--preset", default="gpt2_tiny_en")
    arguments = parser.parse_args()
    print(
        "| backend | runs | batch | first step, one by one, s | in one step, s "
        "| ms per step and run, one by one | in one step | ratio |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    )
    for size in arguments.batch_sizes:
        for runs in arguments.runs:
            print(line(runs, size, arguments), flush=True)


def line(runs, size, arguments):
    task, steps = tasks.get("digits"), arguments.steps
    data = task.data.train(size, 0, 0)

    def fit(model, count=steps):
        began = time.perf_counter()
        model.fit(data, steps_per_epoch=count, verbose=0, shuffle=False)
        return time.perf_counter() - began

    alone = classifiers(task, runs, arguments.preset)
    stack = StackedClassifiers(classifiers(task, runs, arguments.preset))
    first_alone, first = sum(fit(model, 1) for model in alone), fit(stack, 1)
    one_by_one, in_one = [], []
    for _ in range(arguments.rounds):
        one_by_one.append(sum(fit(model) for model in alone))
        in_one.append(fit(stack))
    medians = [statistics.median(times) for times in (one_by_one, in_one)]
    each = [f"{1e3 * median / steps / runs:.1f}" for median in medians]
    cells = [keras.backend.backend(), str(runs), str(size)]
    cells += [f"{first_alone:.1f}", f"{first:.1f}", *each]
    return f"| {' | '.join(cells)} | {medians[0] / medians[1]:.2f} |"


def classifiers(task, runs, preset):
    models = []
    for seed in range(runs):
        keras.utils.set_random_seed(seed)
        models.append(FPTClassifier.from_preset(preset, task=task))
        rate = RATES[seed % len(RATES)]
        models[-1].compile(paper_optimizer(rate))
    return models


if __name__ == "__main__":
    main()
