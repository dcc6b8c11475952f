"""Arrays and lists of numbers as sequences, after checks."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data import audit, sequences
from keras_fpt.tasks.user_data.arrays import array_on_disk

# Larger integers are assumed to be measurements rather than symbols.
MAX_VOCABULARY_SIZE = 1_000_000
# So many examples show whether float32 holds the differences of numbers, of
# which it may change this share.
LOOKED_AT, LOST = 1_000, 0.05


def as_sequences(x: Any, may_lack: bool = False) -> tuple[Any, list[str]]:
    """Converts arrays or lists to sequences of equal or different lengths.

    Args:
        x: as for `from_arrays`.
        may_lack: bool, whether values may be NaN.

    Returns:
        A tuple: as `sequences.stack`, float32 `(n, tokens, dim)`, int32
        `(n, tokens)`, or a `tf.RaggedTensor` of such sequences; and a list of
        notes. Rows of NaN at the end are cut off.

    Raises:
        ValueError: `x` does not hold sequences, or holds NaN or infinity.
    """
    if isinstance(x, np.ndarray) and x.ndim > 1 and not x.size:
        # Its shape alone may promise more rows than fit into memory.
        raise ValueError(
            "Expected sequences of at least one token but received an array "
            f"of shape {x.shape}."
        )
    if isinstance(x, np.ma.MaskedArray):
        # Behind a mask, anything may be.
        is_masked = np.ma.is_masked(x)
        x = np.ma.filled(x.astype(np.float64), np.nan) if is_masked else x.data
    if isinstance(x, array_on_disk.ArrayOnDisk | array_on_disk.SequencesOnDisk):
        return _on_disk(x, may_lack)
    # Iterating over a pandas.DataFrame would give its columns.
    rows = [np.asarray(row) for row in getattr(x, "to_numpy", lambda: x)()]
    if not rows:
        raise ValueError("Expected sequences but received none.")
    full = sum(map(np.size, rows))
    rows = [_without_padding(row, i) for i, row in enumerate(rows)]
    checked = [_check_sequence(row, i, may_lack) for i, row in enumerate(rows)]
    for number, row in enumerate(checked):
        _check_alike(row, checked[0], number, rows[number], rows[0], rows)
    notes = []
    if sum(map(np.size, rows)) < full:
        shortest, longest = min(map(len, rows)), max(map(len, rows))
        notes = [
            f"rows of NaN at the end are padding: {shortest:,} to {longest:,} "
            "tokens are left"
        ]
    return sequences.stack(checked), notes


def lost_digits(x: Any) -> list[audit.Finding]:
    """Finds numbers that differ by less than float32 can tell apart.

    Args:
        x: as for `from_arrays`.
    """
    # Iterating over a pandas.DataFrame would give its columns.
    some = itertools.islice(getattr(x, "to_numpy", lambda: x)(), LOOKED_AT)
    rows = [np.asarray(row) for row in some]
    if not rows or any(row.dtype != np.float64 for row in rows):
        return []
    values = np.concatenate([row.reshape(len(row), -1) for row in rows])
    deviation = np.nanstd(values, axis=0)
    with np.errstate(over="ignore", invalid="ignore"):
        errors = np.abs(values - values.astype(np.float32))
        errors = np.nanmax(errors, axis=0)
    lost = np.flatnonzero((errors > LOST * deviation) & (deviation > 0))
    if not len(lost):
        return []
    channel = int(lost[0])
    return [
        audit.Finding(
            "lost-digits",
            f"Channel {channel} is about {values[0, channel]:.6g} and differs "
            f"by {deviation[channel]:.2g}, which float32, the type that is "
            "read, rounds away.",
            "Subtract the mean, or of times the first one, in float64.",
        )
    ]


def _on_disk(
    x: array_on_disk.ArrayOnDisk | array_on_disk.SequencesOnDisk,
    may_lack: bool,
) -> tuple[Any, list[str]]:
    """Converts sequences that do not fit into memory."""
    start, is_cut = 0, False
    first: tuple[np.ndarray, np.ndarray] | None = None
    with sequence_store.SequenceWriter() as writer:
        for block in x.blocks():
            if isinstance(block, np.ndarray) and _is_plain(block):
                checked = block.astype(np.float32)
                checked = checked[..., None] if block.ndim == 2 else checked
                row = block[0]
                first = first or (checked[0, :1].copy(), row)
                _check_alike(checked[0], first[0], start, row, first[1], [row])
                writer.extend(checked)
            else:
                for i, full in enumerate(block, start):
                    row = _without_padding(full, i)
                    is_cut |= len(row) < len(full)
                    checked = _check_sequence(row, i, may_lack)
                    first = first or (checked[:1].copy(), row)
                    _check_alike(checked, first[0], i, row, first[1], [row])
                    writer.append(checked)
            start += len(block)
        stored = writer.finish()
    if not is_cut:
        return stored, []
    shortest = stored.shape[1]
    if stored.lengths is not None:
        shortest = int(stored.lengths.min())
    note = (
        f"rows of NaN at the end are padding: {shortest:,} to "
        f"{stored.shape[1]:,} tokens are left"
    )
    return stored, [note]


def _check_alike(
    checked: np.ndarray,
    first: np.ndarray,
    number: int,
    row: np.ndarray,
    first_row: np.ndarray,
    rows: Sequence[np.ndarray],
) -> None:
    """Raises `ValueError` if a sequence is not like the first.

    Args:
        checked: a sequence after checks.
        first: the first one.
        number: int, which sequence it is.
        row, first_row: the same as they were given.
        rows: sequence of arrays, those that advice is given for.
    """
    if (checked.dtype, checked.shape[1:]) != (first.dtype, first.shape[1:]):
        raise ValueError(
            f"Expected sequences of one type and width but example {number} "
            f"is {row.dtype} {row.shape} and example 0 is "
            f"{first_row.dtype} {first_row.shape}.{_advice(rows)}"
        )


def _is_plain(block: np.ndarray) -> bool:
    """Whether sequences are finite floats, and need no further check."""
    if block.dtype.kind != "f" or block.ndim not in (2, 3) or not block.size:
        return False
    with np.errstate(over="ignore"):
        return bool(np.isfinite(block.astype(np.float32)).all())


def _advice(rows: Sequence[np.ndarray]) -> str:
    """Advice for sequences of which only the last axes differ."""
    shapes = {row.shape[0] for row in rows if row.ndim == 2}
    if len(shapes) > 1 or any(row.ndim != 2 for row in rows):
        return ""
    return (
        f" If these are {rows[0].shape[0]} channels of different lengths, give "
        "(times, channels): [row.T for row in x]."
    )


def _without_padding(row: np.ndarray, number: int) -> np.ndarray:
    """A sequence without rows at its end that are all NaN."""
    if row.dtype.kind != "f" or row.ndim not in (1, 2) or not row.size:
        return row
    if not np.isnan(row[-1]).all():
        return row
    is_real = ~np.isnan(row.reshape(len(row), -1)).all(axis=1)
    if not is_real.any():
        raise ValueError(f"Example {number}: every number is NaN.")
    return row[: np.flatnonzero(is_real)[-1] + 1]


def _check_sequence(row: np.ndarray, number: int, may_lack: bool) -> np.ndarray:
    """Float32 `(tokens, dim)` or int32 `(tokens,)`, after checks."""
    if row.dtype.kind not in "iufb":
        raise ValueError(
            f"Example {number} has the type {row.dtype}. Expected numbers."
        )
    if row.ndim == 3:
        raise ValueError(
            f"Example {number} has shape {row.shape}, which is not a "
            "sequence. If these are images, make sequences of them with "
            "keras_fpt.tasks.patches(images, size)."
        )
    if row.ndim not in (1, 2) or not len(row):
        raise ValueError(
            f"Example {number} has shape {row.shape}. Expected a sequence, "
            "(tokens, dim) or (tokens,), of at least one token."
        )
    if row.ndim == 1 and row.dtype.kind in "iub":
        if row.min() < 0 or row.max() >= MAX_VOCABULARY_SIZE:
            invalid = row.min() if row.min() < 0 else row.max()
            raise ValueError(
                f"Example {number} contains the token {invalid}. Expected "
                f"integers from 0 to {MAX_VOCABULARY_SIZE - 1:,}. Give "
                "measurements as floats."
            )
        return row.astype(np.int32)
    with np.errstate(over="ignore"):
        numbers = row.astype(np.float32)
    is_bad = ~np.isfinite(numbers)
    if may_lack:
        is_bad &= ~np.isnan(numbers)
    bad = np.argwhere(is_bad)
    if len(bad):
        advice = ""
        if np.isnan(row[tuple(bad[0])]):
            advice = (
                " Fill in what is missing, e.g. with the value before it "
                "(pandas: ffill; for files: --fill forward), or leave such "
                "examples out; rows of NaN at the end of a sequence are read "
                "as padding."
            )
        raise ValueError(
            f"Example {number}, token {bad[0][0]}: expected finite numbers "
            f"(float32) but received {row[tuple(bad[0])]}.{advice}"
        )
    return numbers[:, None] if row.ndim == 1 else numbers
