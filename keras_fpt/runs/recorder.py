"""Records a run while it trains."""

import csv
import functools
import io
import math
import time

import keras

from keras_fpt import files
from keras_fpt.files import (checkpoints)
from keras_fpt import (distribution)
from keras_fpt.runs import (checkpoint_folder, folder as run_folder)
from keras_fpt.runs.checkpoint_interval import (Interval)

EVALUATIONS = 20
LEAST_STEPS_BETWEEN_EVALUATIONS = 25
CHECKPOINT_SECONDS = 5.0


def steps_between_evaluations(steps):
    """How many steps of a run lie between two of its evaluations."""
    return max(math.ceil(steps / EVALUATIONS), LEAST_STEPS_BETWEEN_EVALUATIONS)


class Recorder(keras.callbacks.Callback):
    """Writes a run's checkpoints, and its history at each evaluation.

    A checkpoint is taken within a segment, the steps between two
    evaluations, or at its end, before the evaluation. The latter holds the
    segment's means, so that a run which goes on from there evaluates at once.

    Args:
        folder: `pathlib.Path` of the run. If it holds a checkpoint, training
            begins from there.
        config: the resolved `RunConfig`.
        stopping: a `Stopping`.
        checkpoint_seconds: float, see `Interval`.
        log: function that takes a line of text.
    """

    def __init__(
        self,
        folder,
        config,
        stopping,
        checkpoint_seconds=CHECKPOINT_SECONDS,
        log=print,
    ):
        super().__init__()
        self.folder = folder
        self.config = config
        self.stopping = stopping
        self.interval = Interval(checkpoint_seconds)
        self.steps_per_segment = steps_between_evaluations(config.steps)
        self.segments = math.ceil(config.steps / self.steps_per_segment)
        self.started = time.perf_counter()
        self.checkpoints = folder / run_folder.CHECKPOINTS
        newest = checkpoint_folder.newest(self.checkpoints, log)
        self.arrays, saved = newest or (None, {})
        self._check_backend(saved.get("backend", keras.backend.backend()))
        self._check_processes(saved.get("processes"))
        self.rows = saved.get("history", [])
        self.step = self.kept_step = saved.get("step", 0)
        self.seconds_before = saved.get("seconds", 0.0)
        # Means of a segment that has ended and is not evaluated yet.
        self.train_logs = saved.get("train_logs")

    def _check_backend(self, backend):
        if backend != keras.backend.backend():
            raise ValueError(
                f"The run in `{self.folder}` was begun on {backend} and "
                f"cannot go on on {keras.backend.backend()}. Set "
                f"KERAS_BACKEND={backend}."
            )

    def _check_processes(self, processes):
        if processes not in (None, distribution.num_processes()):
            raise ValueError(
                f"The run in `{self.folder}` was begun in {processes} "
                f"process(es) and cannot go on in "
                f"{distribution.num_processes()}."
            )

    def kept_state(self):
        """Where a resumed run would begin, in words."""
        if not self.kept_step:
            return "the beginning"
        return f"the state kept at step {self.kept_step:,}"

    @property
    def seconds(self):
        """Wall time of the run so far, over all its parts."""
        return self.seconds_before + time.perf_counter() - self.started

    @property
    def _process_offset(self):
        """Keeps processes from drawing the same dropout."""
        spread = distribution.current()
        return 0 if spread is None else 1_000_003 * spread.process_index

    @property
    def steps_to_evaluation(self):
        """How many steps of the segment are still to come."""
        return self.steps_per_segment - self.step % self.steps_per_segment

    @property
    def is_within_segment(self):
        """Whether a part of a segment was trained by an earlier process."""
        return self.arrays is not None and self.train_logs is None

    def restore(self):
        """Puts the checkpoint that the run goes on from into the model."""
        checkpoints.restore_state(self.arrays, self.model)
        self.arrays = None

    def on_train_batch_begin(self, batch, logs=None):
        if batch:
            return
        self.stopping.hold_back()
        if self.arrays is not None:
            # No sooner, since Keras resets metrics, and draws from PyTorch's
            # global generator, when it sets out to train.
            self.restore()
        else:
            # On PyTorch, Keras draws dropout from a global generator, and
            # draws from it for other ends too when it sets out to train or
            # evaluate.
            seed = self.config.seed + self.step + self._process_offset
            keras.utils.set_random_seed(seed % 2**32)

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        self._check_finite("loss", logs["loss"])
        is_last = self.step == self.config.steps
        ends = is_last or self.step % self.steps_per_segment == 0
        if ends:
            self.train_logs = {k: float(logs[k]) for k in ("loss", "accuracy")}
        stops = self.stopping.waiting is not None
        # Within a segment each process has metrics, and a clock, of its own.
        alone = distribution.num_processes() == 1
        if ends or (alone and (stops or self.interval.is_due())):
            self.checkpoint()
        if ends or stops:
            self.stopping.let_through()
        if is_last:
            self.model.stop_training = True

    def checkpoint(self):
        """Keeps the state after the last step."""
        if distribution.is_first_process():
            self._write_checkpoint()
        self.kept_step = self.step

    def _write_checkpoint(self):
        with self.interval.writing():
            if keras.backend.backend() == "jax":
                # Within an epoch the variables are empty there.
                self.model.jax_state_sync()
            try:
                checkpoint_folder.write(
                    self.checkpoints,
                    self.step,
                    self.model,
                    {
                        "backend": keras.backend.backend(),
                        "processes": distribution.num_processes(),
                        "step": self.step,
                        "seconds": self.seconds,
                        "history": self.rows,
                        "train_logs": self.train_logs,
                    },
                    metrics=self.train_logs is None,
                )
            except FloatingPointError as error:
                raise self._blown_up(str(error).rstrip(".")) from error

    def _check_finite(self, name, value):
        if not math.isfinite(float(value)):
            raise self._blown_up(f"The {name} became {float(value)}")

    def _blown_up(self, what):
        return FloatingPointError(
            f"{what} at step {self.step:,}, on training batch "
            f"{self.step - 1:,} (counted from 0) of {self.config.batch_size} "
            f"examples, with learning rate {self.config.learning_rate:g}. The "
            f"run would resume from {self.kept_state()}; try a lower learning "
            "rate, or look for extreme values in the data."
        )

    def on_epoch_end(self, epoch, logs=None):
        self.add_row(
            {k.removeprefix("val_"): v for k, v in logs.items() if "val_" in k}
        )

    def add_row(self, validation):
        """Ends a segment with its evaluation.

        Args:
            validation: dict of the validation split's loss and accuracy.
        """
        # The last update may have broken weights whose loss was still good.
        self._check_finite("validation loss", validation["loss"])
        row = {
            "train_loss": self.train_logs["loss"],
            "train_accuracy": self.train_logs["accuracy"],
            "validation_loss": validation["loss"],
            "validation_accuracy": validation["accuracy"],
            "seconds": self.seconds,
        }
        row = {k: float(f"{v:.6g}") for k, v in row.items()}
        self.rows.append({"step": self.step, **row})
        self.train_logs = None
        if not distribution.is_first_process():
            return
        write_history(self.folder, self.rows)
        self._write_tensorboard(row)

    def _write_tensorboard(self, row):
        import tensorflow as tf

        with self._writer.as_default(step=self.step):
            for name, value in row.items():
                tf.summary.scalar(name, value)
        self._writer.flush()

    @functools.cached_property
    def _writer(self):
        import tensorflow as tf

        return tf.summary.create_file_writer(
            str(self.folder / run_folder.TENSORBOARD)
        )


def write_history(folder, rows):
    """Writes `history.csv`: one row an evaluation.

    `train_*` are running means over the steps since the row before, with
    dropout; `validation_*` are in evaluation mode, on at most about 1,000
    examples, always the same.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files.write_text(folder / run_folder.HISTORY, text.getvalue())
