"""Validation and test examples in separate files or folders."""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

PathLike = str | os.PathLike
# The options of tasks that are paths.
PATH_OPTIONS = frozenset({"labels", "validation", "test"})


@dataclasses.dataclass(frozen=True)
class Files:
    """Files or folders that are read as one set of examples.

    Args:
        paths: tuple of strings.
        sizes: tuple of ints, how many examples (or rows) each has.
        splits: tuple of strings, the split of each path's examples; `None` if
            there is only one path, which is to be split.
        places: int array of each example's place in its file; `None` if none
            is left out.
    """

    paths: tuple[str, ...]
    sizes: tuple[int, ...]
    splits: tuple[str, ...] | None = None
    places: np.ndarray | None = None

    def select(self, is_kept: np.ndarray) -> "Files":
        """The files without some of their examples."""
        parts = np.split(is_kept, np.cumsum(self.sizes)[:-1])
        return dataclasses.replace(
            self,
            sizes=tuple(int(part.sum()) for part in parts),
            places=np.concatenate(self._places)[is_kept],
        )

    @property
    def _places(self) -> list[np.ndarray]:
        """The places of each file's examples."""
        if self.places is None:
            return [np.arange(size) for size in self.sizes]
        return np.split(self.places, np.cumsum(self.sizes)[:-1])

    @property
    def split_names(self) -> np.ndarray | None:
        """The split of each example, or `None`."""
        if self.splits is None:
            return None
        return np.repeat(self.splits, self.sizes)

    @property
    def names(self) -> list[str] | None:
        """The names that distinguish the paths: the ends that differ."""
        if self.splits is None:
            return None
        parts = [pathlib.Path(path).resolve().parts for path in self.paths]
        count = 1
        while len({part[-count:] for part in parts}) < len(parts):
            count += 1
        return ["/".join(part[-count:]) for part in parts]

    @property
    def words(self) -> str:
        """Where the split is from."""
        pairs = zip(self.splits or (), self.names or (), strict=True)
        return ", ".join(f"{split} {name}" for split, name in pairs)

    @property
    def row_names(self) -> list[str]:
        """Names of all rows, which count from 1 in each file."""
        if self.names is None:
            return [f"row {row + 1}" for row in self._places[0].tolist()]
        return [
            f"{name}, row {row + 1}"
            for name, places in zip(self.names, self._places, strict=True)
            for row in places.tolist()
        ]

    def where(self, row: int) -> str:
        """Words that say where a row is, for errors."""
        ends = np.cumsum(self.sizes)
        number = int(np.searchsorted(ends, row, side="right"))
        own = row - int(ends[number]) + self.sizes[number]
        if self.places is not None:
            own = int(self.places[row])
        return f"`{self.paths[number]}`, row {own + 1}"


def check_paths(
    path: PathLike, validation: PathLike | None, test: PathLike | None
) -> dict[str, PathLike]:
    """The paths of splits that are given, by split, of which all exist.

    Args:
        path, validation, test: as for `read_each`.

    Raises:
        FileNotFoundError: a path does not exist.
        ValueError: two paths are the same file.
    """
    given = {"train": path, "validation": validation, "test": test}
    paths = {split: p for split, p in given.items() if p is not None}
    for split, other in paths.items():
        if split != "train" and not pathlib.Path(other).exists():
            raise FileNotFoundError(
                f"There is no file or folder `{other}` of {split} examples."
            )
    resolved = {pathlib.Path(p).resolve() for p in paths.values()}
    if len(resolved) < len(paths):
        raise ValueError(
            f"`{path}`: train, validation and test must be different files, "
            f"but received {', '.join(f'`{p}`' for p in paths.values())}."
        )
    return paths


def has_splits_already(path: PathLike) -> ValueError:
    """The error that files of splits are given beside a file of several."""
    return ValueError(
        f"`{path}` has splits already. Leave out validation (--validation) and "
        "test (--test)."
    )


def read_each(
    path: PathLike,
    validation: PathLike | None,
    test: PathLike | None,
    read: Callable[[PathLike], Any],
    size: Callable[[Any], int] = len,
) -> tuple[list[Any], Files]:
    """Reads the files of a train, a validation and a test split.

    Args:
        path: path of the training examples, or of all examples if there are
            no others.
        validation: path, or `None`.
        test: path, or `None`.
        read: function from a path to its examples.
        size: function from what `read` returns to the number of examples.

    Returns:
        A tuple: list of what `read` returned, and `Files`.

    Raises:
        FileNotFoundError: a path does not exist.
        ValueError: two paths are the same file.
    """
    paths = check_paths(path, validation, test)
    parts = [read(p) for p in paths.values()]
    files = Files(
        tuple(map(str, paths.values())),
        tuple(map(size, parts)),
        tuple(paths) if len(paths) > 1 else None,
    )
    return parts, files


def one_table(
    frames: Sequence[Any], files: Files, columns: Sequence[str]
) -> Any:
    """Some columns of several tables, one table below the other.

    Args:
        frames: list of `pandas.DataFrame`s.
        files: their `Files`.
        columns: sequence of strings.

    Raises:
        ValueError: a table lacks a column that the first one has.
    """
    import pandas as pd

    if len(frames) == 1:
        return frames[0]
    for frame, path in zip(frames[1:], files.paths[1:], strict=True):
        missing = [name for name in columns if name not in frame.columns]
        if missing:
            raise ValueError(
                f"`{path}` has no column '{missing[0]}', which "
                f"`{files.paths[0]}` has. Columns may be in another order, but "
                "each file needs the same ones; to leave a column out, use "
                "ignore_column (--ignore-column)."
            )
    kept = list(dict.fromkeys(columns))
    return pd.concat([frame[kept] for frame in frames], ignore_index=True)
