"""A run's files for TensorBoard."""

import pathlib
from collections.abc import Mapping
from typing import Any

# Each is a run of TensorBoard, which draws runs on one card.
SPLITS = ("train", "validation")


class EventFiles:
    """Writes loss and accuracy of train and validation, and the settings.

    Args:
        folder: `pathlib.Path`, created when something is written.
        settings: dict, a run's settings, which TensorBoard's table of
            hyperparameters shows.
    """

    def __init__(
        self, folder: pathlib.Path, settings: Mapping[str, Any]
    ) -> None:
        import tensorflow as tf

        self._writers = {
            split: tf.summary.create_file_writer(str(folder / split))
            for split in SPLITS
        }
        self._write_settings(settings)

    def _write_settings(self, settings: Mapping[str, Any]) -> None:
        from tensorboard.plugins.hparams import api

        shown = {
            name: value
            for name, value in settings.items()
            if isinstance(value, str | int | float)
        }
        with self._writers["validation"].as_default(step=0):
            api.hparams(shown)

    def write(self, step: int, row: Mapping[str, float]) -> None:
        """Writes the numbers of an evaluation.

        Args:
            step: int.
            row: dict with names such as `train_loss`; others than those of
                `SPLITS` are left out.
        """
        import tensorflow as tf

        for split, writer in self._writers.items():
            with writer.as_default(step=step):
                for name, value in row.items():
                    if name.startswith(f"{split}_"):
                        tf.summary.scalar(name.removeprefix(f"{split}_"), value)
            writer.flush()
