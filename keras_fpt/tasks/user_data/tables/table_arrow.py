"""Yields the rows of Parquet and Arrow (Feather) files in chunks."""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from keras_fpt.tasks.user_data.tables.table_archives import Source

if TYPE_CHECKING:
    import pandas as pd

PARQUET = (".parquet", ".pq")
ARROW = (".arrow", ".feather")
ROWS_PER_CHUNK = 100_000


def read_chunks(source: Source) -> Iterator["pd.DataFrame"]:
    """Yields the rows of a file.

    Args:
        source: a `Source` of a Parquet or Arrow file.

    Yields:
        A `pandas.DataFrame`: columns of numbers without missing values are
        integers or floats, in floats a missing value is NaN, and all other
        columns are strings.

    Raises:
        ValueError: the file is damaged, or a column's values are lists or
            other things that are not single values.
    """
    import pyarrow as pa

    try:
        for batch in _batches(source):
            # What a damaged file says about its buffers could end the process.
            batch.validate(full=True)
            # Without an index that has no name, as pandas writes it.
            names = [
                name
                for name in batch.schema.names
                if not name.startswith("__index_level_")
            ]
            yield _to_frame(batch.select(names), source)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(
            f"`{source.path}` is not a readable file of Parquet or Arrow: "
            f"{error}"
        ) from error


def _batches(source: Source) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.feather
    import pyarrow.parquet

    with source.open() as opened:
        # Unpacked bytes cannot be read from the end.
        file = opened if opened.seekable() else io.BytesIO(opened.read())
        if source.suffix in PARQUET:
            table = pyarrow.parquet.ParquetFile(file)
            # A file without rows still has columns.
            if not table.metadata.num_rows:
                yield pa.RecordBatch.from_pylist([], table.schema_arrow)
            yield from table.iter_batches(ROWS_PER_CHUNK)
            return
        start = file.read(6)
        file.seek(0)
        if start.startswith((b"ARROW1", b"FEA1")):
            yield from pyarrow.feather.read_table(file).to_batches(
                ROWS_PER_CHUNK
            )
        else:
            yield from pa.ipc.open_stream(file)


def _to_frame(batch: Any, source: Source) -> "pd.DataFrame":
    import pandas as pd

    columns = {
        name: _to_cells(column, name, source)
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }
    return pd.DataFrame(columns)


def _to_cells(column: Any, name: str, source: Source) -> "pd.Series":
    """Numbers as they are, and anything else as text."""
    import pandas as pd
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        return _to_cells(column.dictionary_decode(), name, source)
    if pa.types.is_floating(kind):
        return column.cast(pa.float64()).to_pandas()
    if pa.types.is_integer(kind) and not column.null_count:
        return column.to_pandas()
    if pa.types.is_boolean(kind):
        texts = ["" if v is None else str(v) for v in column.to_pylist()]
        return pd.Series(texts, dtype=str)
    if pa.types.is_duration(kind):
        nanoseconds = column.cast(pa.duration("ns")).cast(pa.int64())
        return nanoseconds.cast(pa.float64(), safe=False).to_pandas() / 1e9
    if pa.types.is_nested(kind):
        raise ValueError(
            f"`{source.path}`, column '{name}': expected one value per cell "
            f"but the column holds {kind}. Write the file without it."
        )
    try:
        texts = column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ValueError(
            f"`{source.path}`, column '{name}': its values ({kind}) cannot be "
            f"read as text: {error}"
        ) from error
    return texts.fill_null("").to_pandas().astype(str).str.strip()
