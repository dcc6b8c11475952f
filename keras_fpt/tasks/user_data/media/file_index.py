"""Finds the files that the cells of a table name."""

import collections
import pathlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras_fpt.tasks.user_data import splitting
from keras_fpt.tasks.user_data.media import file_kinds, visible

if TYPE_CHECKING:
    import pandas as pd

# A table in such a folder is about files in the neighboring folders.
FOLDERS_OF_TABLES = ("meta", "metadata", "labels", "annotations", "csv")


class FileIndex:
    """Finds files below a table's folder.

    Args:
        path: the table's path.
        frame: what `table_files.read_table` returned.
        columns: columns of groups and splits, or `None`, whose cells may be
            the names of folders.
    """

    def __init__(
        self,
        path: pathlib.Path,
        frame: "pd.DataFrame",
        columns: Sequence[str | None],
    ) -> None:
        is_aside = path.resolve().parent.name.lower() in FOLDERS_OF_TABLES
        self.root = path.parent / ".." if is_aside else path.parent
        self._path = path
        self._frame = frame
        self._columns = columns
        self._files = [
            file
            for file in visible.visible_files(self.root, "**/*")
            if not file.samefile(path)
        ]
        self._kind = file_kinds.most_common_kind(self._files)
        self._above = self.root.resolve().parts
        self._by_name: dict[str, list[pathlib.Path]] = {}
        for file in self._files:
            for name in {file.name.lower(), file.stem.lower()}:
                self._by_name.setdefault(name, []).append(file)
        self._splits = _splits_in(path.stem)

    def find(self, row: int, column: str) -> pathlib.Path | None:
        """The file that a row's cell names, or `None` if there is none.

        Raises:
            ValueError: there are several.
        """
        cell = self._frame[column].iloc[row].replace("\\", "/").strip()
        if not cell:
            return None
        for exact in (self._path.parent / cell, self.root / cell):
            if _is_file(exact):
                return exact
        path = pathlib.PureWindowsPath(cell)
        parts = path.parts
        found = self._with_end(parts)
        if path.root:
            # Perhaps the path of the files on another computer.
            while not found and len(parts := parts[1:]):
                found = self._with_end(parts)
        found = [f for f in found if self._has_end(f, parts)] or found
        # An annotation may have the name of its image.
        found = [f for f in found if f.name == parts[-1]] or found
        found = [f for f in found if self._is_usual(f)] or found
        if len(found) > 1:
            found = self._in_named_folders(row, found) or found
        if len(found) > 1:
            shown = " and ".join(f"`{file}`" for file in found[:2])
            raise ValueError(
                f"`{self._path}`, row {row + 1}, column '{column}': "
                f"{len(found)} files have the name '{cell}', such as {shown}. "
                "Write the path from the table's folder into the table."
            )
        return found[0] if found else None

    def _with_end(self, parts: tuple[str, ...]) -> list[pathlib.Path]:
        """Files whose paths end so, regardless of case."""
        lower = tuple(part.lower() for part in parts)
        return [
            file
            for file in self._by_name.get(lower[-1], [])
            if tuple(map(str.lower, self._parts(file)))[-len(parts) : -1]
            == lower[:-1]
        ]

    def _has_end(self, file: pathlib.Path, parts: tuple[str, ...]) -> bool:
        """Whether a file's path ends so, with letters of the same case."""
        ends = (*parts[:-1], file.name), (*parts[:-1], file.stem)
        return parts in ends and self._parts(file)[-len(parts) :] == ends[0]

    def _is_usual(self, file: pathlib.Path) -> bool:
        """Whether a file is of the kind of most files."""
        return file_kinds.kind_of(file) == self._kind

    def _parts(self, file: pathlib.Path) -> tuple[str, ...]:
        """The parts of a file's path, from the root of the file system."""
        return self._above + file.relative_to(self.root).parts

    def _in_named_folders(
        self, row: int, found: list[pathlib.Path]
    ) -> list[pathlib.Path]:
        """The files in folders that the row's cells name."""
        cells_of = self._frame.iloc[row].to_dict()
        names = {_plain(f"{name}{cell}") for name, cell in cells_of.items()}
        names |= {_plain(cells_of[name]) for name in self._columns if name}
        folders_of = {
            file: file.relative_to(self.root).parts[:-1] for file in found
        }
        return [
            file
            for file, parts in folders_of.items()
            if names & {_plain(part) for part in parts}
        ] or [
            # The table `train.csv` is about the files in `train_images`.
            file
            for file, parts in folders_of.items()
            if self._splits & _splits_in("_".join(parts))
        ]

    def note_unlisted(self, files: Any) -> list[str]:
        """Says how many files of the same kinds the table does not name."""
        listed = set(files)
        kinds = collections.Counter(map(file_kinds.kind_of, files))
        others = [
            file
            for file in self._files
            if file not in listed and file_kinds.kind_of(file) in kinds
        ]
        if not others:
            return []
        name = others[0].relative_to(self.root)
        return [f"not listed: {len(others):,} files, such as {name}"]


def _is_file(path: pathlib.Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # The cell is text that is too long for a path.
        return False


def _splits_in(name: str) -> set[str | None]:
    """The splits that words of a name say."""
    return {*map(splitting.split_name, re.split(r"[\W_]+", name))} - {None}


def _plain(name: str) -> str:
    """A name in lower case, without spaces and separators."""
    return re.sub(r"[\s_-]+", "", name.lower())
