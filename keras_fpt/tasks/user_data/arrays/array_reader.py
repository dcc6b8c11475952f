"""Converts saved arrays to sequences, in training and for predictions."""

import dataclasses
import os
from typing import Any

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data import sequences
from keras_fpt.tasks.user_data.arrays import number_sequences, saved_arrays
from keras_fpt.tasks.user_data.tables import large_medians

FILLS = ("median", "forward")


@dataclasses.dataclass(frozen=True)
class ArrayReader:
    """Converts saved arrays to sequences.

    Args:
        input_dim: int, width of float tokens, or `None`.
        vocabulary_size: int, for integer tokens, or `None`.
        mean: tuple of floats, the mean of each channel in the training
            examples, if floats are standardized; otherwise empty.
        scale: tuple of floats, the standard deviations likewise.
        fill: string, one of `FILLS`, or `None`.
        median: tuple of floats, the median of each channel in the training
            examples, if what is missing is filled; otherwise empty.
        flagged: tuple of ints, the channels with an extra channel that marks
            missing values: those with missing values in training.
    """

    input_dim: int | None
    vocabulary_size: int | None
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    fill: str | None = None
    median: tuple[float, ...] = ()
    flagged: tuple[int, ...] = ()

    def read(self, path: str | os.PathLike) -> tuple[Any, list[str]]:
        """Reads the sequences of a new file, and their names.

        Args:
            path: as for `saved_arrays.read`.

        Raises:
            ValueError: the sequences are not like those that the task was
                made from.
        """
        rank = 1 if self.input_dim is None else 2
        may_lack = self.fill is not None
        saved = saved_arrays.read(path, None, rank=rank, may_lack=may_lack)
        x, _ = number_sequences.as_sequences(saved.x, may_lack)
        are_symbols = len(x.shape) == 2
        if are_symbols != (self.input_dim is None):
            raise ValueError(
                f"`{path}` contains a different kind of tokens: expected "
                f"{self._expected()}."
            )
        if not are_symbols and x.shape[2] != self._width:
            raise ValueError(
                f"`{path}` holds tokens of width {x.shape[2]}: expected "
                f"{self._expected()}."
            )
        highest = sequences.value_range(x)[1] if are_symbols else 0
        if are_symbols and highest >= (self.vocabulary_size or 0):
            raise ValueError(
                f"`{path}` contains the token {highest:.0f}: expected "
                f"{self._expected()}."
            )
        names = saved.names or [f"example {i + 1}" for i in range(x.shape[0])]
        return self.encode(x), names

    @property
    def _width(self) -> int:
        """The width of tokens in files."""
        return (self.input_dim or 0) - len(self.flagged)

    def _expected(self) -> str:
        if self.input_dim is None:
            return f"integers below {self.vocabulary_size}"
        return f"floats of width {self._width}"

    def encode(self, x: Any) -> Any:
        """Fills in and standardizes sequences of floats.

        Args:
            x: as `number_sequences.as_sequences` returns.
        """
        if self.fill is not None:
            x = self._filled(x)
        if not self.mean:
            return x
        # Channels that say what was missing stay 0 and 1.
        same = len(self.flagged)
        return sequences.standardized(
            x, [*self.mean, *[0.0] * same], [*self.scale, *[1.0] * same]
        )

    def _filled(self, x: Any) -> Any:
        if sequence_store.is_on_disk(x):
            return sequences.collect(
                filled
                for part in sequences.parts(x)
                for filled in sequences.each(self._filled(part))
            )
        lengths = sequences.lengths(x)
        values = sequences.concatenate(x)
        is_missing = np.isnan(values)
        source = np.where(is_missing, -1, np.arange(len(values))[:, None])
        if self.fill == "forward":
            source = np.maximum.accumulate(source, axis=0)
        starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
        # Nothing came before in the same sequence.
        is_median = source < starts[:, None]
        filled = np.take_along_axis(values, np.maximum(source, 0), axis=0)
        filled = np.where(is_median, np.asarray(self.median), filled)
        channels = np.concatenate(
            [filled, is_missing[:, list(self.flagged)]], axis=1
        ).astype(np.float32)
        return sequences.stack(np.split(channels, np.cumsum(lengths)[:-1]))


def learn(
    x: Any, train: np.ndarray, fill: str | None, is_raw: bool
) -> ArrayReader:
    """Makes the reader of float sequences from the training examples.

    Args:
        x: as `number_sequences.as_sequences` returns.
        train: int array, indices of the training examples.
        fill: string, one of `FILLS`, or `None`.
        is_raw: bool, whether values are to be standardized.

    Raises:
        ValueError: `fill` is unknown, or a channel has no value at all.
    """
    reader = ArrayReader(int(x.shape[2]), None)
    if fill is None and not is_raw:
        return reader
    chosen = sequences.select(x, train)
    if is_raw and sequence_store.is_on_disk(chosen):
        chosen = sequences.load(chosen)
    width = reader.input_dim or 0
    if fill is not None:
        if fill not in FILLS:
            raise ValueError(
                f"Expected fill (--fill) to be one of {', '.join(FILLS)} but "
                f"received '{fill}'."
            )
        median, num_missing = _medians(chosen)
        empty = np.flatnonzero(np.isnan(median))
        if len(empty):
            raise ValueError(
                f"Channel {empty[0]} has no value in any training example."
            )
        flagged = np.flatnonzero(num_missing)
        reader = dataclasses.replace(
            reader,
            fill=fill,
            median=tuple(median.tolist()),
            flagged=tuple(flagged.tolist()),
            input_dim=width + len(flagged),
        )
    if is_raw:
        filled = sequences.concatenate(reader.encode(chosen))
        mean, scale = sequences.statistics(filled[:, :width])
        reader = dataclasses.replace(
            reader, mean=tuple(mean.tolist()), scale=tuple(scale.tolist())
        )
    return reader


def _medians(x: Any) -> tuple[np.ndarray, np.ndarray]:
    """The median of each channel, float32, and how many values are missing.

    The median is NaN where all values are missing.
    """
    if not sequence_store.is_on_disk(x):
        values = sequences.concatenate(x)
        is_missing = np.isnan(values)
        median = np.full(values.shape[1], np.nan, np.float32)
        known = ~is_missing.all(axis=0)
        median[known] = np.nanmedian(values[:, known], axis=0)
        return median, is_missing.sum(axis=0)
    width = x.shape[2]
    median, num_missing = large_medians.medians(
        lambda: (
            values.reshape(-1, width).astype(np.float64)
            for values in sequence_store.chunks(x)
        )
    )
    return median.astype(np.float32), num_missing
