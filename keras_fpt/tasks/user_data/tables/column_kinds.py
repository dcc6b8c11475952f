"""The kinds of columns: numbers, booleans, dates and categories."""

import dataclasses
import logging
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks.user_data.tables import cells, dates, table_columns

if TYPE_CHECKING:
    import pandas as pd

LOGGER = logging.getLogger(__name__)
# From a row to words that say where it is.
Where = Callable[[int], str]
MAX_CATEGORIES = 50
ROWS_PER_CATEGORY = 2
IGNORE_ADVICE = " To leave a column out, use ignore_column (--ignore-column)."


@dataclasses.dataclass(frozen=True)
class Column:
    """The kind of a column, and how its cells are read.

    Args:
        kind: string: `"number"`, `"boolean"`, `"date"` or `"category"`.
        categories: tuple of strings, those of the training rows, sorted.
        date_format: string, see `dates.find_format`.
        filler: float, the median of the training rows, which stands for a
            missing cell; `None` if missing cells are errors, or for
            categories, which need none.
        says_missing: bool, whether an extra channel marks missing cells, since
            some were missing in training.
    """

    kind: str = "number"
    categories: tuple[str, ...] = ()
    date_format: str = ""
    filler: float | None = None
    says_missing: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ("number", "boolean", "date", "category"):
            raise ValueError(f"There is no kind '{self.kind}' of columns.")

    def channel_names(self, name: str) -> list[str]:
        """Names of the channels that the column becomes."""
        names = [name]
        if self.kind == "category":
            names = [f"{name}={text}" for text in self.categories]
            names.append(f"{name}=other")
        return [*names, f"{name} missing"] if self.says_missing else names


def find_text_column(
    frame: "pd.DataFrame",
    texts: "pd.Series",
    rows: np.ndarray,
    name: str,
    where: Where,
) -> Column:
    """The kind of a column without any number.

    Args:
        frame: what `table_files.read_table` returned.
        texts: `pandas.Series` of the cells that are not missing.
        rows: int array of their places in the frame.
        name: string, the column.
        where: function from a row to words that say where it is, for errors.

    Raises:
        ValueError: dates can be read in two ways, or the texts are too many
            for categories.
    """
    if cells.are_booleans(texts):
        return Column("boolean")
    try:
        date_format = dates.find_format(texts)
    except ValueError as error:
        raise ValueError(
            f"{where(int(rows[0]))}, column '{name}': {error}{IGNORE_ADVICE}"
        ) from None
    if date_format is not None:
        return Column("date", date_format=date_format)
    return find_categories(frame, texts, rows, name, where)


def find_categories(
    frame: "pd.DataFrame",
    texts: "pd.Series",
    rows: np.ndarray,
    name: str,
    where: Where,
) -> Column:
    """A column of categories; arguments as for `find_text_column`."""
    distinct = sorted(set(texts))
    # A frame may have only one row of each text.
    count = frame.attrs.get("rows", len(texts))
    if (
        len(distinct) > MAX_CATEGORIES
        or len(distinct) * ROWS_PER_CATEGORY > count
    ):
        _check_dates(texts, rows, name, where)
        message = f"{where(int(rows[0]))}, column '{name}':"
        if cells.as_number(texts.iloc[0]) is None:
            message = table_columns.cell_error(frame, int(rows[0]), name, where)
        raise ValueError(
            f"{message} The column holds {len(distinct):,} different texts in "
            f"{count:,} rows, which are too many for categories (at most "
            f"{MAX_CATEGORIES}, each in {ROWS_PER_CATEGORY} rows on average)."
            + IGNORE_ADVICE
        )
    return Column("category", tuple(distinct))


def _check_dates(
    texts: "pd.Series", rows: np.ndarray, name: str, where: Where
) -> None:
    """Raises `ValueError` if almost all texts are dates, and names another."""
    odd = dates.first_odd(texts)
    if odd is not None:
        text = texts.iloc[odd]
        raise ValueError(
            f"{where(int(rows[odd]))}, column '{name}': expected a date as in "
            f"most rows but received '{text}'. If it marks a missing value, "
            f"name it with missing (--missing {shlex.quote(text)})."
            + IGNORE_ADVICE
        )


def log_others(column: Column, texts: "pd.Series", name: str) -> None:
    """Logs the texts of a new table that were not in training."""
    is_other = ~texts.isin(column.categories)
    if is_other.any():
        shown = table_columns.list_columns(texts[is_other].unique().tolist())
        LOGGER.info(
            f"Column {name}: {int(is_other.sum()):,} cells hold texts that "
            f"were not in training: {shown}."
        )


def parse_texts(column: Column, texts: "pd.Series") -> np.ndarray:
    """Numbers for the texts of a column, NaN for what is not of its kind."""
    if column.kind == "date":
        if column.date_format == dates.COMPACT:
            texts = texts.str.removesuffix(".0")
        days = dates.to_days(texts, column.date_format)
        # New dates may be typed, as in Parquet and Excel files.
        typed = dates.to_days(texts, dates.ISO)
        return np.where(np.isnan(days), typed, days)
    if column.kind == "boolean":
        value_of = {
            word: float(value)
            for pair in cells.BOOLEANS
            for value, word in enumerate(pair)
        } | {"0": 0.0, "1": 1.0}
        return texts.str.lower().map(value_of).to_numpy(float)
    index_of = {text: i for i, text in enumerate(column.categories)}
    other = float(len(column.categories))
    return texts.map(index_of).fillna(other).to_numpy(float)
