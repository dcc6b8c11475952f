"""Records a run while it trains."""

import csv
import functools
import io
import math
import os
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_fpt import distribution, files
from keras_fpt.files import checkpoints, folder_lock
from keras_fpt.runs import checkpoint_folder, errors, saved_progress
from keras_fpt.runs import folder as run_folder
from keras_fpt.runs.checkpoint_interval import CheckpointInterval
from keras_fpt.runs.event_files import EventFiles
from keras_fpt.runs.resolved import ResolvedRun
from keras_fpt.runs.saved_progress import SavedProgress
from keras_fpt.runs.share_of_time import ShareOfTime
from keras_fpt.runs.signals import StopSignals
from keras_fpt.runs.stop_agreement import StopAgreement

EVALUATIONS = 20
MIN_STEPS_BETWEEN_EVALUATIONS = 25
CHECKPOINT_SECONDS = 5.0


def steps_between_evaluations(steps: int) -> int:
    """The number of steps between two evaluations of a run."""
    return max(math.ceil(steps / EVALUATIONS), MIN_STEPS_BETWEEN_EVALUATIONS)


class Recorder(keras.callbacks.Callback):
    """Writes a run's checkpoints, and its history at each evaluation.

    A checkpoint is saved within a segment (the steps between two
    evaluations) or at its end, before the evaluation. The latter contains the
    segment's means, so that a run that resumes from there evaluates
    immediately.

    Args:
        folder: `pathlib.Path` of the run. If it contains a checkpoint, training
            starts from there.
        run: the `ResolvedRun`.
        stop_signals: a `StopSignals`.
        checkpoint_seconds: float, see `CheckpointInterval`.
        lock: `FolderLock` of the folder; `None` in processes that do not
            write.
        until: int, a step at whose evaluation, or the first one after it,
            training pauses; `None` trains all steps.
        latest: int, the step of the latest checkpoint to start from, of a run
            that continues together with others; `None` starts from the newest.
            Later ones are removed.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        run: ResolvedRun,
        stop_signals: StopSignals,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        lock: folder_lock.FolderLock | None = None,
        until: int | None = None,
        latest: int | None = None,
    ) -> None:
        super().__init__()
        self.until = until
        self.folder = folder
        self.run = run
        self.metric = run.task.main_metric
        self.stop_signals = stop_signals
        self.lock = lock
        self.interval = CheckpointInterval(checkpoint_seconds)
        self.steps_per_segment = (
            run.config.evaluation_steps or steps_between_evaluations(run.steps)
        )
        self.segments = math.ceil(run.steps / self.steps_per_segment)
        self.started = time.perf_counter()
        self.checkpoints = folder / run_folder.CHECKPOINTS
        read = functools.partial(
            SavedProgress.of,
            steps=run.steps,
            steps_per_row=self.steps_per_segment,
        )
        newest = checkpoint_folder.newest(self.checkpoints, read, latest)
        saved = SavedProgress(0, keras.backend.backend())
        self.arrays = None
        if newest is not None:
            self.arrays, saved = newest[0], read(newest[1])
        self._check_backend(saved.backend)
        self._check_processes(saved.processes)
        self.rows = list(saved.history)
        self.step = self.saved_step = saved.step
        self.agreement = StopAgreement(self.step)
        self.seconds_before = saved.seconds
        self.share = ShareOfTime.of(saved, self.folder)
        self.evaluated_share = self.share.seconds
        # Means of a segment that has ended and is not evaluated yet.
        self.train_logs = saved.train_logs

    def _check_backend(self, backend: str) -> None:
        if backend != keras.backend.backend():
            raise ValueError(
                f"The run in `{self.folder}` was started on {backend} and "
                f"cannot continue on {keras.backend.backend()}. Set "
                f"KERAS_BACKEND={backend}."
            )

    def _check_processes(self, processes: int | None) -> None:
        if processes not in (None, distribution.num_processes()):
            raise ValueError(
                f"The run in `{self.folder}` was started in {processes} "
                f"process(es) and cannot continue in "
                f"{distribution.num_processes()}."
            )

    def describe_saved_state(self) -> str:
        """The step that a resumed run would start from, in words."""
        if not self.saved_step:
            return "the beginning"
        return f"the checkpoint of step {self.saved_step:,}"

    @property
    def seconds(self) -> float:
        """Wall time of the run so far, over all its parts."""
        return self.seconds_before + time.perf_counter() - self.started

    @property
    def _process_offset(self) -> int:
        """Keeps processes from drawing the same dropout."""
        engine = distribution.current()
        return 0 if engine is None else 1_000_003 * engine.process_index

    @property
    def steps_to_evaluation(self) -> int:
        """How many steps of the segment are left."""
        return self.steps_per_segment - self.step % self.steps_per_segment

    @property
    def best_row(self) -> dict[str, float]:
        """The first evaluation with the lowest validation loss."""
        return min(self.rows, key=lambda row: row["validation_loss"])

    @property
    def is_done(self) -> bool:
        """Whether it trains no further, or pauses here."""
        is_due = self.until is not None and self.step >= self.until
        return self.is_over or (is_due and self._is_evaluated)

    @property
    def is_over(self) -> bool:
        """Whether all steps are trained, or the loss no longer falls."""
        if self.step >= self.run.steps:
            return True
        patience = self.run.config.patience
        if not patience or not self._is_evaluated:
            return False
        since = len(self.rows) - 1 - self.rows.index(self.best_row)
        return since >= patience

    @property
    def _is_evaluated(self) -> bool:
        """Whether the last step was that of an evaluation."""
        if not self.rows or self.train_logs is not None:
            return False
        return bool(self.rows[-1]["step"] == self.step)

    @property
    def kept_row(self) -> dict[str, float]:
        """The evaluation whose weights the run keeps."""
        is_best = self.run.config.keep == "best"
        return self.best_row if is_best else self.rows[-1]

    def restore_kept(self) -> None:
        """Loads the weights that the run keeps, if they are not the last."""
        if self.kept_row is self.rows[-1]:
            return
        distribution.barrier()  # The first process has written them.
        arrays = checkpoint_folder.read_best(
            self.checkpoints, int(self.best_row["step"])
        )
        checkpoints.restore_state(arrays, self.model)

    @property
    def is_within_segment(self) -> bool:
        """Whether a part of a segment was trained by an earlier process."""
        return self.arrays is not None and self.train_logs is None

    def restore(self) -> None:
        """Loads the checkpoint that the run resumes from into the model."""
        checkpoints.restore_state(self.take_arrays(), self.model)

    def take_arrays(self) -> dict[str, Any]:
        """The arrays of that checkpoint, which are not kept any longer."""
        arrays, self.arrays = self.arrays or {}, None
        return arrays

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if batch:
            return
        self.stop_signals.defer()
        if self.arrays is not None:
            # Not earlier, since Keras resets metrics and draws from PyTorch's
            # global generator when it starts to train.
            self.restore()
        else:
            # On PyTorch, Keras draws dropout from a global generator, and
            # draws from it for other purposes too when it starts to train or
            # evaluate.
            seed = self.run.seed + self.step + self._process_offset
            keras.utils.set_random_seed(seed % 2**32)

    def advance(self, logs: Mapping[str, Any]) -> bool:
        """Counts a step that was trained.

        Args:
            logs: dict of the segment's means so far.

        Returns:
            bool, whether it was the last of a segment.

        Raises:
            FloatingPointError: the loss is not finite.
        """
        self.step += 1
        self._check_finite("loss", logs["loss"])
        if self.step < self.run.steps and self.step % self.steps_per_segment:
            return False
        names = ("loss", self.metric)
        self.train_logs = {name: float(logs[name]) for name in names}
        return True

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        is_segment_end = self.advance(logs)
        is_stopping = self.stop_signals.pending is not None
        # Within a segment, each process has its own metrics and its own clock.
        is_single = distribution.num_processes() == 1
        if is_segment_end or (
            is_single and (is_stopping or self.interval.is_due())
        ):
            self.checkpoint()
        if not is_single:
            if self.agreement.is_reached(
                self.step, is_stopping, is_segment_end
            ):
                distribution.agree_to_stop()
                self.stop_signals.stop()
        elif is_segment_end or is_stopping:
            self.stop_signals.deliver()
        if self.step == self.run.steps:
            self.model.stop_training = True

    def checkpoint(self) -> None:
        """Saves the state after the last step."""
        if distribution.is_first_process():
            self._write_checkpoint()
        self.saved_step = self.step

    def check_lock(self) -> None:
        """Checks that this process may still write the run.

        Raises:
            TakenOver: another process has taken it over.
        """
        if self.lock is not None:
            self.lock.check()

    def _write_checkpoint(self) -> None:
        self.check_lock()
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
                        **self.share.described(self.share.seconds),
                    },
                    metrics=self.train_logs is None,
                )
            except FloatingPointError as error:
                raise self._non_finite_error(str(error).rstrip(".")) from error

    def _check_finite(self, name: str, value: Any) -> None:
        if not math.isfinite(float(value)):
            raise self._non_finite_error(f"The {name} became {float(value)}")

    def _non_finite_error(self, what: str) -> FloatingPointError:
        return FloatingPointError(
            f"{what} at step {self.step:,}, on training batch "
            f"{self.step - 1:,} (counted from 0) of {self.run.batch_size} "
            f"examples, with learning rate {self.run.learning_rate:g}. The "
            f"run would resume from {self.describe_saved_state()}; try a "
            "lower learning rate, or look for extreme values in the data."
        )

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.add_row(
            {k.removeprefix("val_"): v for k, v in logs.items() if "val_" in k}
        )
        if self.is_done:
            self.model.stop_training = True

    def add_row(self, validation: Mapping[str, float]) -> None:
        """Ends a segment with its evaluation.

        Args:
            validation: dict of the validation split's loss and metrics.
        """
        # The last update may have broken weights whose loss was still finite.
        self._check_finite("validation loss", validation["loss"])
        train = self.train_logs or {}
        row = {
            "train_loss": train["loss"],
            f"train_{self.metric}": train[self.metric],
            "validation_loss": validation["loss"],
            f"validation_{self.metric}": validation[self.metric],
            "seconds": self.seconds,
        }
        row = {k: float(f"{v:.6g}") for k, v in row.items()}
        self.rows.append({"step": self.step, **row})
        self.train_logs = None
        self.evaluated_share = self.share.seconds
        if not distribution.is_first_process():
            return
        self.check_lock()
        # Before the history, so that a history has the weights that it names.
        if self.run.config.keep == "best" and self.best_row is self.rows[-1]:
            if keras.backend.backend() == "jax":
                self.model.jax_state_sync()
            checkpoint_folder.write_best(
                self.checkpoints, self.step, self.model
            )
        write_history(self.folder, self.rows)
        with errors.warn_instead("write the files of TensorBoard"):
            self.board.write(self.step, row)

    @functools.cached_property
    def board(self) -> EventFiles:
        """The run's files for TensorBoard."""
        return EventFiles(
            self.folder / run_folder.TENSORBOARD, self.run.settings()
        )


def read_history(
    folder: str | os.PathLike[str],
) -> list[dict[str, Any]]:
    """The rows in a run's `history.csv`, as dicts of numbers.

    Raises:
        FileNotFoundError: the run has not been evaluated yet.
        ValueError: the file is damaged.
    """
    path = pathlib.Path(folder, run_folder.HISTORY)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [
                {k: int(v) if k == "step" else float(v) for k, v in row.items()}
                for row in csv.DictReader(file)
            ]
    except (ValueError, TypeError, csv.Error) as error:
        raise ValueError(f"`{path}` is damaged: {error}") from error
    columns = rows[0].keys() if rows else set()
    if "step" not in columns or not columns & set(saved_progress.METRICS):
        raise ValueError(
            f"`{path}` is damaged: expected rows with the columns step and "
            "validation_accuracy, validation_rmse for a regression, or "
            "validation_mse for a forecast."
        )
    return rows


def write_history(
    folder: pathlib.Path, rows: Sequence[Mapping[str, float]]
) -> None:
    """Writes `history.csv`: one row per evaluation.

    `train_*` are running means over the steps since the previous row, with
    dropout; `validation_*` are in evaluation mode, on at most about 1,000
    examples, always the same.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files.write_text(folder / run_folder.HISTORY, text.getvalue())
