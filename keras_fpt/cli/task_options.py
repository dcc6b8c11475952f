"""Arguments that name a task or the user's data, and how it is read."""

import dataclasses
from typing import Annotated, Any

import typer

from keras_fpt.cli.flags import FlagsOf
from keras_fpt.options import option

TaskArgument = Annotated[
    str,
    typer.Argument(
        help="A name (see `keras-fpt tasks`), or a file or folder of your own: "
        ".csv, .tsv, .fasta, .npz, a folder of images or of .wav files."
    ),
]
DataDir = Annotated[
    str | None,
    typer.Option(
        help="Folder of the task's data.", show_default="the task's own"
    ),
]


@dataclasses.dataclass(frozen=True)
class TaskOptions:
    """Options of tasks, most of them of the user's own data."""

    max_length: int | None = option(
        None,
        "Maximum sequence length, for tasks that have such a limit.",
        default_text="the task's own",
    )
    label_column: str | None = option(
        None, "Column of the labels; tables need it."
    )
    group_column: str | None = option(
        None, "Column that groups rows: equal values make one sequence."
    )
    ignore_column: list[str] | None = option(
        None, "Column to leave out; may be repeated."
    )
    window: int | None = option(
        None, "Number of rows of a time series that make one sequence."
    )
    stride: int | None = option(
        None,
        "Number of rows from one window to the next.",
        default_text="the window",
    )
    split_column: str | None = option(
        None, "Column that holds train, validation or test."
    )
    text_column: str | None = option(
        None, "Column of strings, whose characters are the tokens."
    )
    labels: str | None = option(
        None, "Table with the labels of a FASTA file's records."
    )
    id_column: str | None = option(
        None,
        "Column of the label table that holds the record IDs.",
        default_text="the first",
    )
    image_size: int | None = option(
        None,
        "Height and width, in pixels, that images are resized to.",
        default_text="their own, or 32",
    )
    patch_size: int | None = option(
        None, "Height and width of a patch, in pixels.", default_text="4"
    )
    max_seconds: float | None = option(
        None, "Sounds are cut to this many seconds.", default_text="10"
    )


TASK_FLAGS = FlagsOf(TaskOptions, panel="Your own data")


def given(values: dict[str, Any]) -> dict[str, Any]:
    """Those options that have a value."""
    return {k: v for k, v in values.items() if v not in (None, [])}
