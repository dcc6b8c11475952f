"""Trains variants of a run, each at its own best learning rate, in turns."""

import dataclasses
import time

import keras

from keras_fpt.results.not_run import NotRun
from keras_fpt.results.run_labels import describe
from keras_fpt.runs import run_store as kept_runs
from keras_fpt.studies.deadline import OutOfTime


def run_variants(
    variants, learning_rates, seeds, folder, deadline, test_reserve, log=print
):
    """Searches each variant's learning rate, then trains it with seeds.

    Rates are chosen by validation accuracy at the first seed. The test split
    is read for the runs at the best rates alone. All variants have their turn
    at a rate, and at a seed, before any has the next: where time runs out,
    all of them lack the same. Runs in the folder are not run again.

    Args:
        variants: list of `RunConfig`, of any tasks. Their learning rates are
            replaced, and their seeds are the first.
        learning_rates: sequence of floats, those to be tried, likeliest
            first.
        seeds: int, runs of each at its best rate.
        folder: path of a folder of runs.
        deadline: a `Deadline`.
        test_reserve: float, seconds to be left for the test split and for
            what comes after.
        log: function that takes a line of text.

    Returns:
        List of `NotRun`: variants whose weights or data could not be had, and
        those that time was too short for.
    """
    turns = _Turns(folder, deadline, log)
    trained = {variant: [] for variant in range(len(variants))}
    try:
        for rate in learning_rates:
            for number, variant in enumerate(variants):
                config = dataclasses.replace(variant, learning_rate=rate)
                score = turns.take(number, config, False, test_reserve)
                if score is not None:
                    trained[number].append((score, config))
    except OutOfTime:
        log(
            "Time was too short for all learning rates: each is chosen among "
            "those that were tried."
        )
    best = {}
    for number, variant in enumerate(variants):
        if trained[number]:
            # The first of equals.
            best[number] = max(trained[number], key=lambda pair: pair[0])[1]
        elif number not in turns.failed:
            turns.failed[number] = NotRun(
                variant.task,
                describe(variant),
                "Time was too short to train it. Give a larger budget.",
            )
    _train_seeds(turns, best, seeds, log)
    return list(turns.failed.values())


def _train_seeds(turns, best, seeds, log):
    for further in range(seeds):
        is_short = False
        for number, config in best.items():
            if further and turns.deadline.left < turns.seconds[number]:
                is_short = True
                continue
            seed = config.seed + further
            try:
                turns.take(
                    number, dataclasses.replace(config, seed=seed), True, 0.0
                )
            except OutOfTime:
                is_short = True
        if is_short:
            log(f"Time was too short for {seeds} seeds of each.")
            return


class _Turns:
    """Runs that are trained one after another, and what came of them.

    `seconds` is what each variant's longest run has taken.
    """

    def __init__(self, folder, deadline, log):
        self.folder, self.deadline, self.log = folder, deadline, log
        self.failed, self.seconds = {}, {}

    def take(self, number, config, test, reserve):
        """Trains a variant's run, unless it has failed before.

        Returns:
            What to compare it by; `None` where it could not be run. A run
            whose test split has been read, by an earlier call that ran out of
            time, is above all others: the choice was made then.
        """
        if number in self.failed:
            return None
        began = time.monotonic()
        try:
            with self.deadline.kept(reserve):
                _, metrics = kept_runs.run_once(
                    config, self.folder, test, log=_say_nothing
                )
        except (ValueError, OSError, ImportError, MemoryError) as error:
            what = describe(config)
            self.log(f"Not run: {config.task}, {what}: {error}")
            self.failed[number] = NotRun(config.task, what, str(error))
            return None
        finally:
            # The model of one run is not kept while the next one trains.
            keras.utils.clear_session()
        seconds = time.monotonic() - began
        self.seconds[number] = max(seconds, self.seconds.get(number, 0.0))
        shown = (
            f"{config.task}, {describe(config)}, learning rate "
            f"{config.learning_rate:g}, seed {config.seed}"
        )
        if metrics is None:
            self.log(f"{shown}: diverged")
            return False, 0.0, -float("inf")
        accuracy = metrics["validation_accuracy"]
        read = f", test accuracy {metrics['test_accuracy']:.2%}" if test else ""
        self.log(f"{shown}: validation accuracy {accuracy:.2%}{read}")
        is_chosen = "test_accuracy" in metrics
        return is_chosen, accuracy, -metrics["validation_loss"]


def _say_nothing(line):
    """In place of a run's own lines, of which there would be many."""
