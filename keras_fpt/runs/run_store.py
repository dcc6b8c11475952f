"""Runs in a folder of runs: one that exists is not run again."""

import dataclasses
import hashlib
import json
import pathlib
import time

import keras

from keras_fpt import files
from keras_fpt.files import (json_files)
from keras_fpt.runs import (train as run, folder as run_folder)

BUSY_SECONDS = 1.0


def run_name(config):
    """The name of a run's folder, the same for the same run.

    Args:
        config: a resolved `RunConfig`.
    """
    described = {
        **dataclasses.asdict(config),
        "backend": keras.backend.backend(),
    }
    text = json.dumps(described, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    rate = f"{config.learning_rate:g}"
    return f"{config.arm}-{rate}-seed{config.seed}-{digest}"


def run_once(config, folder, test, log=print):
    """Trains a run in a folder of runs, unless it is there.

    One that was broken off goes on; while another process works on it, this
    one waits. One whose loss became infinite or NaN stays as it is.

    Args:
        config: a `RunConfig`.
        folder: path of the folder of runs.
        test: bool, whether the test split is read, too: for runs that
            nothing is chosen by any more.
        log: function that takes a line of text.

    Returns:
        Tuple of the run's folder and the dict in its `metrics.json`, which is
        `None` where the run diverged.

    Raises:
        ValueError, FileNotFoundError: something in `config` is not right.
    """
    config = config.resolve(config.load_task())
    folder = pathlib.Path(folder, run_name(config))
    while True:
        try:
            return folder, _run_once(config, folder, test, log)
        except BlockingIOError:
            time.sleep(BUSY_SECONDS)


def _run_once(config, folder, test, log):
    if (folder / run_folder.DIVERGED).is_file():
        diverged = json_files.read_object(folder / run_folder.DIVERGED)
        _write_diverged(folder, diverged["error"], test or diverged["final"])
        return None
    if not run_folder.is_finished(folder):
        try:
            run.train(config, folder, resume=True, log=log, test=test)
        except FloatingPointError as error:
            log(str(error))
            _write_diverged(folder, str(error), test)
            return None
    metrics = run.read_metrics(folder)
    if test and "test_accuracy" not in metrics:
        metrics = run.add_test(folder)
    return metrics


def _write_diverged(folder, error, final):
    """Keeps why a run ended, and whether its test split was asked for."""
    files.write_text(
        folder / run_folder.DIVERGED,
        json.dumps({"error": error, "final": final}, indent=2) + "\n",
    )
