"""A run's files for TensorBoard."""

import pathlib
from collections.abc import Mapping
from typing import Any

# Each is a run of TensorBoard, which draws runs on one card.
SPLITS = ("train", "validation", "test")


class EventFiles:
    """Writes loss and accuracy of each split, the settings, and pictures.

    Args:
        folder: `pathlib.Path`, created when something is written.
        settings: dict, a run's settings, which TensorBoard's table of
            hyperparameters shows next to the numbers of all splits.
    """

    def __init__(
        self, folder: pathlib.Path, settings: Mapping[str, Any]
    ) -> None:
        self._folder = folder
        self._writers: dict[str, Any] = {}
        self._write_settings(settings)

    def _writer(self, name: str) -> Any:
        """The writer of a folder, which it makes with the first use."""
        import tensorflow as tf

        if name not in self._writers:
            path = str(self._folder / name)
            self._writers[name] = tf.summary.create_file_writer(path)
        return self._writers[name]

    def _write_settings(self, settings: Mapping[str, Any]) -> None:
        from tensorboard.plugins.hparams import api

        shown = {
            name: value
            for name, value in settings.items()
            if isinstance(value, str | int | float)
        }
        # TensorBoard finds the splits below the folder that holds these.
        with self._writer("").as_default(step=0):
            api.hparams(shown)
        self._writer("").flush()

    def write(self, step: int, row: Mapping[str, float]) -> None:
        """Writes the numbers of an evaluation.

        Args:
            step: int.
            row: dict with names such as `train_loss`; others than those of
                `SPLITS` are left out.
        """
        import tensorflow as tf

        for split in SPLITS:
            values = {
                name.removeprefix(f"{split}_"): value
                for name, value in row.items()
                if name.startswith(f"{split}_")
            }
            if not values:
                continue
            with self._writer(split).as_default(step=step):
                for name, value in values.items():
                    tf.summary.scalar(name, value)
            self._writer(split).flush()

    def write_picture(
        self, step: int, split: str, name: str, png: bytes
    ) -> None:
        """Writes a picture.

        Args:
            step: int.
            split: string, one of `SPLITS`, the one whose examples it shows.
            name: string.
            png: bytes.
        """
        import tensorflow as tf

        with self._writer(split).as_default(step=step):
            tf.summary.image(name, tf.io.decode_png(png)[None])
        self._writer(split).flush()
