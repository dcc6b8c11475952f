"""Arguments that name a task or the user's data, and how it is read."""

import dataclasses
from typing import Annotated, Any

import typer

from keras_fpt.cli.flags import FlagsOf
from keras_fpt.options import option

TaskArgument = Annotated[
    str,
    typer.Argument(
        help="Name of a task (see `keras-fpt tasks`), or a file or folder of "
        "your own: a table (.csv, .tsv, .txt, .parquet, .feather, .xlsx, "
        ".arff, also compressed), .fasta, .npz, a folder with one subfolder of "
        "images, sounds or tables per class, or a table of files "
        "(--file-column)."
    ),
]
DataDir = Annotated[
    str | None,
    typer.Option(
        help="Folder of the task's data.",
        show_default="the task's default",
    ),
]


@dataclasses.dataclass(frozen=True)
class TaskOptions:
    """Options of tasks, most of them of the user's own data."""

    max_length: int | None = option(
        None,
        "Maximum sequence length, for tasks that have such a limit.",
        topic="Data",
        default_text="the task's default",
    )
    label_column: list[str] | None = option(
        None,
        "Column that contains the labels; required for tables. Several "
        "columns are several labels (0 and 1), or several numbers to predict.",
        topic="Data",
    )
    label_separator: str | None = option(
        None,
        "What stands between the names of several labels in one cell.",
        topic="Data",
        default_text="found in the cells",
    )
    task_type: str | None = option(
        None,
        "Kind of task: classification, regression (numbers), multilabel (any "
        "number of labels per example), tokens (a label for each row of a "
        "window) or forecast (the next rows of a table in time).",
        topic="Data",
        default_text="found from the labels",
    )
    group_column: list[str] | None = option(
        None,
        "Column that groups rows: rows with equal values form one sequence. "
        "May be repeated to group by several columns.",
        topic="Series",
    )
    time_column: str | None = option(
        None,
        "Column that contains the time: rows are sorted by it, and no window "
        "spans a gap.",
        topic="Series",
    )
    ignore_column: list[str] | None = option(
        None,
        "Column to leave out; may be repeated.",
        topic="Data",
    )
    category_column: list[str] | None = option(
        None,
        "Column of categories that look like numbers, such as postal codes; "
        "may be repeated.",
        topic="Data",
    )
    window: int | None = option(
        None,
        "Number of rows of a time series that form one sequence.",
        topic="Series",
    )
    stride: int | None = option(
        None,
        "Number of rows from one window to the next.",
        topic="Series",
        default_text="the window; 1 for forecasts",
    )
    target_column: list[str] | None = option(
        None,
        "Column of numbers to forecast; may be repeated. Needs --task-type "
        "forecast.",
        topic="Series",
    )
    future_column: list[str] | None = option(
        None,
        "Column of numbers that are known over the horizon as well, such as "
        "holidays or prices, for forecasts; may be repeated. Files for predict "
        "need them in the rows that are forecast.",
        topic="Series",
    )
    horizon: int | None = option(
        None,
        "Number of rows to forecast.",
        topic="Series",
        default_text="none; forecasts need it",
    )
    context: int | None = option(
        None,
        "Number of rows that a forecast is made from.",
        topic="Series",
        default_text="four horizons",
    )
    min_label_share: float | None = option(
        None,
        "Minimum share of a window's rows that must have its label.",
        topic="Series",
        default_text="more than any other label",
    )
    within_label: bool = option(
        False,
        "Start a new window where the label changes.",
        topic="Series",
    )
    split_column: str | None = option(
        None,
        "Column with the split of each example: train, validation or test.",
        topic="Splits",
    )
    split_group: list[str] | None = option(
        None,
        "Column of groups, such as people, that stay in one split. May be "
        "repeated to group by several columns. In a folder with one subfolder "
        "per class, a part of the files' names: part_1 of 1037-3-0-1.wav is "
        "1037.",
        topic="Splits",
    )
    folds: int | None = option(
        None,
        "Number of folds of a cross-validation.",
        topic="Splits",
    )
    fold: int | None = option(
        None,
        "Fold used for testing, counted from 1.",
        topic="Splits",
        default_text="all",
    )
    validation: str | None = option(
        None,
        "File or folder with the validation examples.",
        topic="Splits",
    )
    test: str | None = option(
        None,
        "File or folder with the test examples.",
        topic="Splits",
    )
    missing: list[str] | None = option(
        None,
        "Content of a cell that marks a missing value, such as -999; may be "
        "repeated.",
        topic="Data",
    )
    drop_missing: bool = option(
        False,
        "Leave out examples whose label or cells are missing.",
        topic="Data",
    )
    fill: str | None = option(
        None,
        "How to fill missing cells: median (of the training rows) or forward "
        "(from the previous row). An extra channel marks the filled cells.",
        topic="Data",
    )
    header: bool | None = option(
        None,
        "Whether the first row of a table names its columns; without such a "
        "row they are column_1, column_2, ...",
        topic="Data",
    )
    encoding: str | None = option(
        None,
        "Encoding of tables that are not in UTF-8, such as shift_jis.",
        topic="Data",
        default_text="detected in the file",
    )
    file_column: str | None = option(
        None,
        "Column of a table that names files, one per example: images, sounds "
        "or tables. They are looked up in the table's folder and its "
        "subfolders.",
        topic="Data",
    )
    text_column: str | None = option(
        None,
        "Column of strings, whose characters are the tokens.",
        topic="Data",
    )
    labels: str | None = option(
        None,
        "Table with the labels of a FASTA file's records.",
        topic="Data",
    )
    id_column: str | None = option(
        None,
        "Column of the label table that contains the record IDs.",
        topic="Data",
        default_text="the first",
    )
    image_size: int | None = option(
        None,
        "Height and width, in pixels, that images are resized to.",
        topic="Images and sounds",
        default_text="their own size, or 32",
    )
    patch_size: int | None = option(
        None,
        "Height and width of a patch, in pixels.",
        topic="Images and sounds",
        default_text="4",
    )
    max_seconds: float | None = option(
        None,
        "Maximum length of sounds, in seconds; longer ones are cut.",
        topic="Images and sounds",
        default_text="10",
    )
    max_hertz: float | None = option(
        None,
        "Highest frequency of sounds to use, in hertz.",
        topic="Images and sounds",
        default_text="8000",
    )
    background: str | None = option(
        None,
        "Color behind transparent pixels, such as white or #808080.",
        topic="Images and sounds",
        default_text="white",
    )
    strict: bool = option(
        False,
        "Treat leaks that the audit of your data finds as errors.",
        topic="Data",
    )


TASK_FLAGS = FlagsOf(TaskOptions)


def given(values: dict[str, Any]) -> dict[str, Any]:
    """The options that have a value."""
    return {k: v for k, v in values.items() if v not in (None, [])}


def given_options(values: dict[str, Any]) -> dict[str, Any]:
    """The options of a task that differ from their defaults.

    A single column of groups or labels is a string, as in the runs of version
    0.1.0.
    """
    defaults = {f.name: f.default for f in dataclasses.fields(TaskOptions)}
    chosen = {k: v for k, v in given(values).items() if v != defaults[k]}
    for name in ("group_column", "label_column"):
        value = chosen.get(name)
        if isinstance(value, list) and len(value) == 1:
            (chosen[name],) = value
    return chosen
