"""Reads the `.ts` files of the UCR/UEA archive of time series.

A header of lines that begin with `@` is followed by one case per line: its
dimensions, each a list of values, and its class, separated by colons.

Source: the format of sktime and aeon,
https://www.aeon-toolkit.org/en/stable/api_reference/file_specifications/ts.html
"""

import os
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from keras_fpt.tasks.user_data.arrays.npz_files import Saved

MISSING = "?"


class Header(NamedTuple):
    """The header of a `.ts` file.

    Args:
        labels: list of the classes' names, or `None` if labels are numbers.
        dimensions: int, or `None`.
        length: int, the length of every series, or `None`.
    """

    labels: list[str] | None
    dimensions: int | None
    length: int | None


def read(path: str | os.PathLike, may_lack: bool = False) -> Saved:
    """Reads the cases of a `.ts` file.

    Args:
        path: a text file.
        may_lack: bool, whether values may be missing. At the end of all
            dimensions they are padding, and are cut off in any case.

    Returns:
        `Saved`: a list of float64 arrays `(times, dimensions)`, and labels,
        which are numbers if the file says `@targetLabel true`.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it is not such a file; it has no classes; values are
            missing, or have times. The error names the file and the line.
    """
    lines = _lines(path)
    header = _read_header(lines, path)
    x, y, names = [], [], []
    for number, line in lines:
        where = f"`{path}`, line {number}"
        if "(" in line:
            raise ValueError(f"{where}: {_TIMES}")
        *dimensions, label = [part.strip() for part in line.split(":")]
        if header.labels is not None and label not in header.labels:
            raise ValueError(
                f"{where}: the class '{label}' is not one of "
                f"{', '.join(header.labels)}, which @classLabel names."
            )
        values = [_values(text, where) for text in dimensions]
        _check_shape(values, header, where)
        case = np.stack(values, axis=1)
        known = np.flatnonzero(~np.isnan(case).all(axis=1))
        case = case[: known[-1] + 1] if len(known) else case
        missing = np.argwhere(np.isnan(case))
        if len(missing) and not (may_lack and len(known)):
            time, dimension = missing[0]
            raise ValueError(
                f"{where}, dimension {dimension + 1}, value {time + 1}: it is "
                f"missing ('{MISSING}'). Fill in what is missing with fill "
                "(--fill median or --fill forward), or leave such cases out."
            )
        x.append(case)
        y.append(label)
        names.append(f"line {number}")
    if not x:
        raise ValueError(f"`{path}` has no cases below @data.")
    return Saved(
        x,
        y,
        notes=_notes(path),
        names=names,
        is_raw=True,
        is_regression=header.labels is None,
    )


def _notes(path: str | os.PathLike) -> tuple[str, ...]:
    """A note on the archive's test cases, if they are in the same folder."""
    file = pathlib.Path(path)
    stem = file.stem.removesuffix("_TRAIN")
    test = file.with_name(f"{stem}_TEST{file.suffix}")
    if stem == file.stem or not test.is_file():
        return ()
    return (f"the archive's own test cases are in {test.name} (--test)",)


_TIMES = (
    "it has a time for each value, which is not read. Write the values at "
    "equal steps of time, without times (@timeStamps false)."
)


def _lines(path: str | os.PathLike) -> Iterator[tuple[int, str]]:
    """Yields the numbers and text of lines that are not empty or comments."""
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"`{path}` is not text in UTF-8: {error}") from error
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file `{path}`.") from None
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line and not line.startswith(("#", "%")):
            yield number, line


def _read_header(
    lines: Iterator[tuple[int, str]], path: str | os.PathLike
) -> Header:
    """Reads the lines up to `@data`."""
    said: dict[str, list[str]] = {}
    for number, line in lines:
        if not line.startswith("@"):
            raise ValueError(
                f"`{path}`, line {number}: expected a line that begins with @ "
                f"but found '{line[:40]}'. A .ts file has its cases below "
                "@data."
            )
        key, *words = line[1:].split()
        said[key.lower()] = words
        if key.lower() == "data":
            break
    else:
        raise ValueError(f"`{path}` has no line @data.")
    if _is_true(said, "timestamps"):
        raise ValueError(f"`{path}`: {_TIMES}")
    labels = said.get("classlabel", ["false"])
    has_targets = _is_true(said, "targetlabel")
    has_classes = [w.lower() for w in labels[:1]] == ["true"] and labels[1:]
    if not (has_targets or has_classes):
        raise ValueError(
            f"`{path}` has no classes (@classLabel true, and their names), and "
            "no numbers to predict (@targetLabel true)."
        )
    dimensions = _number(said, "dimensions", path)
    if dimensions is None:
        dimensions = _number(said, "dimension", path)
    if _is_true(said, "univariate"):
        dimensions = 1
    length = None
    if _is_true(said, "equallength"):
        length = _number(said, "serieslength", path)
    return Header(None if has_targets else labels[1:], dimensions, length)


def _is_true(said: dict[str, list[str]], key: str) -> bool:
    return [word.lower() for word in said.get(key, [])] == ["true"]


def _number(
    said: dict[str, list[str]], key: str, path: str | os.PathLike
) -> int | None:
    if key not in said:
        return None
    words = said[key]
    if len(words) != 1 or not words[0].isdecimal() or len(words[0]) > 9:
        raise ValueError(
            f"`{path}`: expected @{key} to be a whole number but found "
            f"'{' '.join(words)}'."
        )
    return int(words[0])


def _values(text: str, where: str) -> np.ndarray:
    """The values of one dimension."""
    words = [word.strip() for word in text.split(",")]
    words = ["nan" if word == MISSING else word for word in words]
    try:
        return np.array(words, float)
    except ValueError:
        pass
    for number, word in enumerate(words, 1):
        try:
            float(word)
        except ValueError:
            raise ValueError(
                f"{where}, value {number}: expected a number but found "
                f"'{word[:40]}'."
            ) from None
    raise ValueError(f"{where}: expected numbers but found '{text[:40]}'.")


def _check_shape(values: list[np.ndarray], header: Header, where: str) -> None:
    if not values:
        raise ValueError(f"{where}: expected values, a colon and a class.")
    if header.dimensions is not None and len(values) != header.dimensions:
        raise ValueError(
            f"{where}: expected {header.dimensions} dimensions but found "
            f"{len(values)}."
        )
    lengths = {len(dimension) for dimension in values}
    if len(lengths) > 1:
        raise ValueError(
            f"{where}: its dimensions have from {min(lengths)} to "
            f"{max(lengths)} values. Expected as many in each."
        )
    if header.length is not None and lengths != {header.length}:
        raise ValueError(
            f"{where}: expected {header.length} values, as @seriesLength says, "
            f"but found {min(lengths)}."
        )
