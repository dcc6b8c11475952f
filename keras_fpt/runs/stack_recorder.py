"""Records runs while they train in one step."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_fpt.files import checkpoints
from keras_fpt.models import FPTModel, StackedClassifiers
from keras_fpt.progress import StepProgress
from keras_fpt.runs.checkpoint_interval import CheckpointInterval
from keras_fpt.runs.recorder import Recorder
from keras_fpt.runs.signals import StopSignals


class StackRecorder(keras.callbacks.Callback):
    """Gives each run's recorder what it would have if the run trained alone.

    Each run has its own checkpoints, all of the same steps. Those that have
    ended, since they diverged, are finished or no longer improve, keep their
    places in the stack, so that the others' dropout stays what it is.

    Args:
        stack: a `StackedClassifiers`.
        models: list of the runs' models, which it trains.
        recorders: dict from the numbers of the runs that train to their
            `Recorder`s, all at the same step.
        seed: int, decides what is dropped.
        stop_signals: a `StopSignals`.
        checkpoint_seconds: float, see `CheckpointInterval`.
        progress: the `StepProgress` that shows the means over the runs.
        on_diverged: function of the number of a run, and of the error, that is
            called when it diverges.
    """

    def __init__(
        self,
        stack: StackedClassifiers,
        models: Sequence[FPTModel],
        recorders: Mapping[int, Recorder],
        seed: int,
        stop_signals: StopSignals,
        checkpoint_seconds: float,
        progress: StepProgress,
        on_diverged: Callable[[int, FloatingPointError], None],
    ) -> None:
        super().__init__()
        self.stack, self.models = stack, models
        self.seed, self.stop_signals = seed, stop_signals
        self.interval = CheckpointInterval(checkpoint_seconds)
        self.progress, self.on_diverged = progress, on_diverged
        self.live = dict(recorders)  # Those that still train.
        self._evaluator: int | None = None
        for number, recorder in self.live.items():
            recorder.set_model(models[number])
            recorder.share.among(len(self.live))
        stack.build_metrics()

    @property
    def first(self) -> Recorder:
        """The recorder of a run that trains; all are at its step."""
        return next(iter(self.live.values()))

    @property
    def is_done(self) -> bool:
        """Whether a run trains no further, or none is left."""
        return not self.live or any(one.is_done for one in self.live.values())

    def take_done(self) -> dict[int, Recorder]:
        """The recorders of runs that train no further, which leave.

        The models have their weights until the next step.
        """
        done = {n: one for n, one in self.live.items() if one.is_done}
        for number in done:
            self._leave(number)
        return done

    def _leave(self, number: int) -> None:
        """Removes a run, whose share of the time the others take over."""
        del self.live[number]
        for recorder in self.live.values():
            recorder.share.among(len(self.live))

    def evaluator(self, number: int) -> int:
        """The run whose model evaluates another one, which is done.

        That is the first one that was done, whose weights are needed no more.
        """
        if self._evaluator is None:
            self._evaluator = number
        return self._evaluator

    def restore(self) -> None:
        """Loads the checkpoints that the runs resume from into the stack."""
        has_metrics = self.first.is_within_segment
        arrays = {n: one.take_arrays() for n, one in self.live.items()}
        others = next(iter(arrays.values()))
        for number, model in enumerate(self.models):
            # What has ended is trained no further; any numbers will do.
            own = arrays.get(number, others)
            checkpoints.restore_state(own, model)
        self.stack.restack(has_metrics)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if batch or not self.live:
            return
        # As `Recorder` does, and for the same reasons.
        self.stop_signals.defer()
        if self.first.arrays is not None:
            self.restore()
        else:
            keras.utils.set_random_seed((self.seed + self.first.step) % 2**32)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        logs = _as_arrays(logs)
        ends = [
            self._record(number, "advance", _of_run(logs, number))
            for number in list(self.live)
        ]
        if not self.live:
            self.model.stop_training = True
            self.stop_signals.deliver()
            return
        is_segment_end = any(ends)
        self.progress.on_train_batch_end(batch, self._means(logs))
        is_stopping = self.stop_signals.pending is not None
        if is_segment_end or is_stopping or self.interval.is_due():
            self._checkpoint(within_segment=not is_segment_end)
        if is_segment_end or is_stopping:
            self.stop_signals.deliver()
        if not self.live or self.first.step == self.first.run.steps:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        validation = {
            k.removeprefix("val_"): v for k, v in logs.items() if "val_" in k
        }
        if self.live:
            self.add_rows(validation)
        if self.is_done:
            self.model.stop_training = True

    def add_rows(self, validation: Mapping[str, Any]) -> None:
        """Ends a segment of each run with its evaluation.

        Args:
            validation: dict of vectors, the loss and the metrics of each run.
        """
        for number in list(self.live):
            own = _of_run(_as_arrays(validation), number)
            self._record(number, "add_row", own)

    def _checkpoint(self, within_segment: bool) -> None:
        """Saves each run's state after the last step."""
        with self.interval.writing():
            if keras.backend.backend() == "jax":
                # Within an epoch the variables are empty there.
                self.stack.jax_state_sync()
            self.stack.unstack(metrics=within_segment)
            for number in list(self.live):
                self._record(number, "checkpoint")

    def _record(self, number: int, method: str, *arguments: Any) -> Any:
        """Calls a method of a run's recorder, which may find it diverged."""
        recorder = self.live[number]
        try:
            return getattr(recorder, method)(*arguments)
        except FloatingPointError as error:
            self._leave(number)
            self.on_diverged(number, error)
            return False

    def _means(self, logs: Mapping[str, np.ndarray]) -> dict[str, float]:
        """The means of the runs that train."""
        live = list(self.live)
        return {name: float(v[live].mean()) for name, v in logs.items()}


def _as_arrays(logs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {
        name: np.asarray(keras.ops.convert_to_numpy(values))
        for name, values in logs.items()
    }


def _of_run(logs: Mapping[str, np.ndarray], number: int) -> dict[str, float]:
    """A run's own losses and metrics, from those of all."""
    return {name: float(values[number]) for name, values in logs.items()}
