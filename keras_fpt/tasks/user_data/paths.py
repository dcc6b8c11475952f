"""Tasks from the user's file or folder, by its kind."""

import dataclasses
import inspect
import os
import pathlib
from collections.abc import Callable
from typing import Any

from keras_fpt import files
from keras_fpt import options as options_
from keras_fpt.files import json_files
from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import targets
from keras_fpt.tasks.user_data.arrays import (
    array_reader,
    arrays,
    arrow_folders,
    arrow_frames,
    saved_arrays,
)
from keras_fpt.tasks.user_data.media import (
    file_kinds,
    file_tables,
    image_folders,
    recording_reader,
    recordings,
    saved_pictures,
    sound_folders,
    visible,
)
from keras_fpt.tasks.user_data.strings import fasta, string_reader, strings
from keras_fpt.tasks.user_data.tables import (
    columns,
    forecast_tables,
    series_reader,
    table_files,
    table_folders,
    tables,
)

READERS = {
    reader.__name__: reader
    for reader in (
        array_reader.ArrayReader,
        fasta.FastaReader,
        image_folders.ImageReader,
        string_reader.StringReader,
        tables.TableReader,
        series_reader.SeriesReader,
        sound_folders.SoundReader,
        recording_reader.RecordingReader,
    )
}
# Options of `from_series` alone.
_OF_FORECASTS = ("target_column", "context", "horizon", "future_column")
_FORECAST_ADVICE = (
    " It is for forecasts: add --task-type forecast (task_type='forecast')."
)
_OWN_ADVICE = (
    " A forecast has --target-column, --context and --horizon in place of "
    "labels and windows, and its splits are in the order of time."
)
FASTA = ("fasta", "fa", "faa", "fas", "fna", "ffn", "frn")
KINDS = (
    ".csv, .tsv, .txt, .data, .parquet, .feather, .arrow, .xlsx or .arff (a "
    "table, also as .gz, .bz2, .xz or .zip), a folder of .parquet files (one "
    "table), .fasta, .fa, .faa or .fna (proteins, DNA, RNA), .npz (arrays x "
    "and y), .npy (sequences; their labels are in another file), .ts (time "
    "series of the UCR/UEA archive), a saved data set, or a folder with one "
    "subfolder of images, sounds or tables per class"
)


def is_path(name: str | os.PathLike) -> bool:
    """Whether a name looks like a path, or is that of a file or folder."""
    return files.looks_like_path(name) or pathlib.Path(name).exists()


def from_path(
    path: str | os.PathLike, verbose: bool = True, **options: Any
) -> Task:
    """Makes a task from the user's file or folder.

    Args:
        path: file or folder of one of the `KINDS`.
        verbose: bool, whether to log a description of the data.
        **options: arguments of the function that reads such a file:
            `from_csv`, or `from_string_table` if `text_column` is given, or
            `from_file_table` if `file_column` is, or `from_series` if
            `task_type` is `"forecast"`; `from_fasta`, `from_image_folder`,
            `from_sound_folder`, `from_recording_folder`,
            `from_saved_pictures` or `from_saved`.

    Returns:
        A `Task`.

    Raises:
        FileNotFoundError: the path does not exist.
        ValueError: the file is of another kind, or an option does not apply
            to it.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder `{path}`.")
    make = _find_maker(path, options)
    parameters = inspect.signature(make).parameters
    unknown = sorted(options.keys() - parameters.keys())
    if unknown:
        raise ValueError(
            f"The option {_flag(unknown[0])} does not apply to `{path}`."
            + _FORECAST_ADVICE * (unknown[0] in _OF_FORECASTS)
            + _OWN_ADVICE * (make is forecast_tables.from_series)
        )
    for name, parameter in list(parameters.items())[1:]:
        if parameter.default is parameter.empty and name not in options:
            frame = (
                arrow_frames.read_frame(path)[0]
                if path.is_dir()
                else next(
                    table_files.read_chunks(
                        path, options.get("header"), options.get("encoding")
                    )
                )
            )
            raise ValueError(
                f"`{path}`: choose the column with {_flag(name)}. Its columns "
                f"are {', '.join(frame.columns)}."
            )
    return make(path, verbose=verbose, **options)


def path_takes_option(
    path: str | os.PathLike, option: str, others: dict[str, Any]
) -> bool:
    """Whether a file or folder is read with an option; see `from_path`."""
    path = pathlib.Path(path)
    if not path.exists():
        return False
    parameters = inspect.signature(_find_maker(path, others)).parameters
    return option in parameters


def _find_maker(path: pathlib.Path, options: dict[str, Any]) -> Callable:
    suffix = path.suffix.lower().removeprefix(".")
    if path.is_dir():
        if saved_arrays.is_saved_dataset(path):
            return arrays.from_saved
        if table_folders.is_table_folder(path):
            if options.get("task_type") == targets.FORECAST:
                return forecast_tables.from_series
            return tables.from_csv
        if arrow_folders.is_saved_dataset(path):
            if "text_column" in options:
                return strings.from_string_table
            if saved_pictures.has_pictures(path):
                return saved_pictures.from_saved_pictures
            return arrays.from_saved
        table_folders.check_not_partitioned(path)
        kind = file_kinds.most_common_kind(visible.visible_files(path, "**/*"))
        if kind == file_kinds.SOUNDS:
            return sound_folders.from_sound_folder
        if kind == file_kinds.TABLES:
            return recordings.from_recording_folder
        return image_folders.from_image_folder
    if "file_column" in options:
        return file_tables.from_file_table
    if table_files.is_table(path):
        if "text_column" in options:
            return strings.from_string_table
        if options.get("task_type") == targets.FORECAST:
            return forecast_tables.from_series
        return tables.from_csv
    if suffix == "gz":
        suffix = pathlib.Path(path.stem).suffix.lower().removeprefix(".")
        if suffix not in FASTA:
            suffix = "gz"
    if suffix in FASTA:
        return fasta.from_fasta
    if suffix in ("npz", "npy", "ts"):
        return arrays.from_saved
    raise ValueError(f"Cannot read `{path}`. Expected {KINDS}.")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def as_saved(task: Task, entry: Any) -> Task:
    """The task as the version made it whose reader was saved.

    Args:
        task: a `Task` of the user's data.
        entry: what `reader_to_json` returned for the run's reader.
    """
    if isinstance(task.reader, string_reader.StringReader) and isinstance(
        entry, dict
    ):
        return string_reader.as_saved(task, str(entry.get("alphabet")))
    return task


def reader_to_json(reader: Any) -> dict[str, Any]:
    """Converts a reader to a dict that `json.dumps` accepts."""
    later = options_.later(reader)
    found = {
        name: value
        for name, value in dataclasses.asdict(reader).items()
        if name not in later or value != later[name]  # As older versions do.
    }
    return {"kind": type(reader).__name__, **found}


def reader_from_json(entry: Any, where: str = "The reader") -> Any:
    """Makes the reader that `reader_to_json` converted.

    Args:
        entry: dict, which may come from a damaged or malicious file.
        where: string, what the dict is of, with which errors begin.

    Raises:
        ValueError: the dict does not describe a reader.
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("kind"), str):
        raise ValueError(f"{where}: there is no field 'kind'.")
    entry = dict(entry)
    kind = entry.pop("kind")
    if isinstance(entry.get("kinds"), list):
        entry["kinds"] = [
            json_files.from_dict(columns.Column, column, where)
            for column in entry["kinds"]
        ]
    if kind not in READERS:
        raise ValueError(
            f"{where}: unknown kind '{kind}'. Expected one of "
            f"{', '.join(READERS)}."
        )
    return json_files.from_dict(READERS[kind], entry, where)
