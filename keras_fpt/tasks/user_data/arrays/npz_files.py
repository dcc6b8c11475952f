"""Arrays in `.npz` files: sequences, labels, lengths, masks and splits."""

import os
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_fpt.tasks.user_data.arrays import (
    array_on_disk,
    padded,
    saved_images,
)
from keras_fpt.tasks.user_data.audit import audit_groups

# What NumPy raises for files that are damaged or not arrays.
UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    NotImplementedError,  # a kind of compression
    RuntimeError,  # encryption, or deep nesting
    MemoryError,  # a header that promises more data than the file has
    zipfile.BadZipFile,
    zlib.error,
)
# In the names of arrays, such as `x_train` and `test_y`.
_SPLITS = "train|training|validation|valid|val|dev|testing|test"
# Common names of sequences and labels, where there is no x or y.
_INPUTS = ("images", "data", "inputs", "features", "signals", "sequences")
_LABELS = ("labels", "label", "targets", "target")
_PADDING = ("lengths", "mask", "padding_mask")
SAVE_RAGGED = (
    "np.savez(path, x=np.concatenate(x), lengths=[len(s) for s in x], y=y)"
)


class Saved(NamedTuple):
    """The content of a file or folder of saved examples.

    Args:
        x: sequences, as for `from_arrays`.
        y: n labels, which may be `label_texts.TextsOnDisk`, or `None`.
        split: sequence of n strings, the split of each example, or `None`.
        columns: dict from the names of other arrays that were asked for to
            arrays of n values.
        notes: tuple of strings, findings and decisions.
        names: list of n strings that say where each example is from, or
            `None`.
        is_raw: bool, whether floats are measurements in some unit, to be
            standardized.
        is_regression: bool, whether the file says that labels are numbers.
        groups: dict from the names of arrays that were not asked for, but are
            named like groups, to sequences of n values, all of which or none
            may be `label_texts.TextsOnDisk`.
    """

    x: Any
    y: Any = None
    split: Any = None
    columns: Mapping[str, Any] = {}
    notes: tuple[str, ...] = ()
    names: list[str] | None = None
    is_raw: bool = False
    is_regression: bool = False
    groups: Mapping[str, Any] = {}


def collect(
    loaded: Mapping[str, Any],
    path: str | os.PathLike,
    label_name: str | None = "y",
    columns: Sequence[str] = (),
) -> Saved:
    """Collects the examples of an archive of arrays.

    Args:
        loaded: dict-like, from names to arrays: `x` (or `X`), `y` (or `Y`)
            and perhaps `lengths` or `mask`; or the same for each split, such
            as `x_train`, `y_train`, `x_test` and `y_test`.
        path: the archive's file, for errors.
        label_name: string, the array of the labels, or `None` if there are
            none to read.
        columns: names of other arrays to read.

    Raises:
        ValueError: an array is missing, holds Python's objects, or does not
            fit the others.
    """
    found = _by_split(loaded, ["x", *_PADDING, *columns], label_name)
    aliases = _by_split(loaded, [*_INPUTS, *_LABELS], None)
    for split, arrays in aliases.items():
        own = found.setdefault(split, {})
        for name, others in (("x", _INPUTS), ("y", _LABELS)):
            known = [arrays[other] for other in others if other in arrays]
            is_wanted = name == "x" or label_name == "y"
            if is_wanted and name not in own and len(known) == 1:
                own[name] = known[0]
    splits = [split for split, arrays in found.items() if "x" in arrays]
    if not splits:
        raise _missing("x", loaded, path)
    parts = [_part(found[s], s, loaded, path, label_name) for s in splits]
    parts, image_note = saved_images.as_patches(
        parts, [found[split]["x"] for split in splits], path
    )
    x: Any = parts[0][0]
    inputs = [part[0] for part in parts]
    if any(isinstance(each, array_on_disk.ON_DISK) for each in inputs):
        x = array_on_disk.join(inputs)
    elif len(parts) > 1:
        x = [row for rows, *_ in parts for row in rows]
    sizes = [len(rows) for rows, *_ in parts]
    notes = {note: None for *_, note in parts if note}
    if image_note:
        notes[image_note] = None
    values = {
        name: _joined(found, splits, name, loaded, path) for name in columns
    }
    read = {key for arrays in found.values() for key in arrays.values()}
    unread = [key for key in loaded if key not in read]
    if unread:
        notes[f"not read: {', '.join(unread)}"] = None
    for name, column in values.items():
        if len(column) != sum(sizes):
            raise ValueError(
                f"`{path}`: expected one value of '{name}' for each of "
                f"{sum(sizes):,} sequences but found {len(column):,}."
            )
    return Saved(
        x,
        None if label_name is None else _labels(parts),
        None
        if splits == [""]
        else [
            s or "train"
            for s, n in zip(splits, sizes, strict=True)
            for _ in range(n)
        ],
        values,
        tuple(notes),
        groups=_groups(
            loaded, splits, sizes, [*columns, str(label_name)], path
        ),
    )


def _groups(
    loaded: Mapping[str, Any],
    splits: Sequence[str],
    sizes: Sequence[int],
    others: Sequence[str],
    path: str | os.PathLike,
) -> dict[str, np.ndarray]:
    """The arrays that are named like groups and have a value per sequence."""
    if not isinstance(loaded, np.lib.npyio.NpzFile):
        return {}
    names = set()
    for key in loaded:
        match = _of_split(key)
        part = "a" if match and match["a"] else "d"
        names.add(key[slice(*match.span(part))] if match else key)
    names = {name for name in names if audit_groups.is_named_group(name)}
    known = {other.lower() for other in others}
    groups = {}
    for name in sorted(names, key=str.lower):
        found = _by_split(loaded, [name], None)
        keys = [found.get(split, {}).get(name) for split in splits]
        if name.lower() in known or None in keys:
            continue
        # Nobody asked for it: it is read only if it has what is needed.
        shapes = [array_on_disk.npz_shape(path, str(key)) for key in keys]
        if shapes != [(size,) for size in sizes]:
            continue
        try:
            parts = [get(loaded, str(key), path) for key in keys]
        except ValueError:
            continue
        groups[name] = np.concatenate(parts)
    return groups


def _of_split(key: str) -> re.Match[str] | None:
    """The parts of an array's name such as `x_train` or `test_y`."""
    return re.fullmatch(
        rf"(?P<a>.+)_(?P<b>{_SPLITS})|(?P<c>{_SPLITS})_(?P<d>.+)",
        key.lower(),
    )


def _by_split(
    loaded: Mapping[str, Any], names: Sequence[str], label_name: str | None
) -> dict[str, dict[str, str]]:
    """The names of the arrays of each split, or of the split ''."""
    found: dict[str, dict[str, str]] = {"": {}}
    for name in names:
        for key in loaded:
            if key.lower() == name.lower() and (
                name not in found[""] or key == name
            ):
                found[""][name] = key
    if label_name is not None:
        for key in (label_name, label_name.upper()):
            if key in loaded and "y" not in found[""]:
                found[""]["y"] = key
    known = {name.lower(): name for name in names}
    if label_name is not None:
        known[label_name.lower()] = "y"
    for key in loaded:
        match = _of_split(key)
        if match is None:
            continue
        meant = known.get(match["a"] or match["d"])
        if meant is not None:
            found.setdefault(match["b"] or match["c"], {})[meant] = key
    return found


def _part(
    names: Mapping[str, str],
    split: str,
    loaded: Mapping[str, Any],
    path: str | os.PathLike,
    label_name: str | None,
) -> tuple[Any, Any, str]:
    """The sequences and labels of one split, and a note."""
    x = _get_x(loaded, names["x"], path)
    _check_has_rows(x, names["x"], path)
    y = None
    if label_name is not None:
        if "y" not in names:
            raise _missing(
                f"{label_name}_{split}" if split else label_name, loaded, path
            )
        y = get(loaded, names["y"], path)
        _check_has_rows(y, names["y"], path)
        if y.ndim == 2 and y.shape[1] == 1 and y.dtype.kind in "iubUS":
            y = y[:, 0]
    given = [name for name in _PADDING if name in names]
    if not given:
        return x, y, ""
    where = f"`{path}`, '{names[given[0]]}'"
    if given[0] == "lengths":
        lengths = get(loaded, names[given[0]], path)
        cut = padded.by_lengths(x, lengths, where)
    else:
        mask = _get_x(loaded, names[given[0]], path)
        cut = padded.by_mask(x, mask, where)
    shortest, longest = cut.lengths.min(), cut.lengths.max()
    note = f"lengths from '{names[given[0]]}': {shortest:,} to {longest:,}"
    if cut.differ:
        note += (
            "; the tokens that it leaves out are not alike (1 is for tokens, 0 "
            "for padding)"
        )
    return cut.rows, y, note


def _check_has_rows(array: Any, name: str, path: str | os.PathLike) -> None:
    if getattr(array, "shape", None) == ():
        raise ValueError(
            f"`{path}`: the array '{name}' holds a single value. Expected one "
            "for each example."
        )


def _get_x(
    loaded: Mapping[str, Any], name: str, path: str | os.PathLike
) -> Any:
    """An array of an archive, on disk if it is large."""
    if isinstance(loaded, dict):  # of a .npy file
        x = loaded[name]
        return np.asarray(x) if isinstance(x, np.ndarray) else x
    large = None
    if isinstance(loaded, np.lib.npyio.NpzFile):
        try:
            large = array_on_disk.open_npz(path, name)
        except UNREADABLE as error:
            raise unreadable(path, error) from error
    return get(loaded, name, path) if large is None else large


def get(
    loaded: Mapping[str, Any], name: str, path: str | os.PathLike
) -> np.ndarray:
    """An array of an archive.

    Raises:
        ValueError: it holds Python's objects, which are not read.
    """
    try:
        return np.asarray(loaded[name])
    except UNREADABLE as error:
        if "Object arrays" not in str(error):
            raise unreadable(path, error) from error
        advice = (
            f"sequences of different lengths with {SAVE_RAGGED}"
            if name.lower().startswith("x")
            else f"names with {name}=np.asarray({name}, str)"
        )
        raise ValueError(
            f"`{path}`: the array '{name}' holds Python's objects, which are "
            f"not read since they could run code. Save {advice}."
        ) from error


def unreadable(path: str | os.PathLike, error: Exception) -> ValueError:
    """The error about a file that is damaged or does not hold arrays."""
    return ValueError(f"Cannot read arrays from `{path}`: {error}")


def _joined(
    found: Mapping[str, Mapping[str, str]],
    splits: Sequence[str],
    name: str,
    loaded: Mapping[str, Any],
    path: str | os.PathLike,
) -> np.ndarray:
    """One array, or those of all splits one after the other."""
    keys = [found[split].get(name) for split in splits]
    if None in keys:
        raise _missing(name, loaded, path)
    arrays = [get(loaded, key, path) for key in keys if key is not None]
    try:
        return np.concatenate(arrays).ravel()
    except ValueError as error:
        raise ValueError(f"`{path}`, '{name}': {error}") from error


def _labels(parts: Sequence[tuple[Any, Any, str]]) -> Any:
    if len(parts) == 1:
        return parts[0][1]
    return np.concatenate([np.asarray(y) for _, y, _ in parts])


def _missing(
    name: str, loaded: Mapping[str, Any], path: str | os.PathLike
) -> ValueError:
    return ValueError(
        f"`{path}` has no array '{name}'; it has {', '.join(loaded)}. Write "
        "it with np.savez(path, x=x, y=y), or with x_train, y_train, x_test "
        "and y_test; name another array of labels with label_column "
        "(--label-column)."
    )
