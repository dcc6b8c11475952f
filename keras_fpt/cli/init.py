"""`keras-fpt init`: writes a configuration to start from."""

import dataclasses
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_fpt import files
from keras_fpt.cli import early
from keras_fpt.cli.console import print_plain
from keras_fpt.cli.overwrite import Overwrite
from keras_fpt.cli.task_options import TaskArgument, TaskOptions
from keras_fpt.models import ModelOptions
from keras_fpt.options import TOPICS
from keras_fpt.runs import RunConfig

_HEAD = "# A run of keras-fpt. Train it with"
_MARK = rb"\A# A run of keras-fpt"
_LIKELY_LABELS = ("label", "labels", "class", "target", "y")
_SOURCES = (RunConfig, ModelOptions, TaskOptions)


def init(
    task: TaskArgument,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="The .toml file to write."),
    ] = Path("run.toml"),
    overwrite: Overwrite = False,
) -> None:
    """Write a configuration with every option, its default and what it does.

    `keras-fpt train --config run.toml` then trains it.
    """
    early.require_task(task)
    file = files.Output(output, _MARK, (task,), overwrite)
    text = config_text(task, output)
    file.write(text)
    says_label = '\n# label_column = "' not in text
    print_plain(
        f"Written to {output}. Remove the # before what you want to change"
        f"{'' if says_label else ', and name the column of labels'}, then: "
        f"keras-fpt train --config {output}"
    )


def config_text(task: str, path: Path) -> str:
    """A configuration as TOML text, in which all but the task is commented out.

    Args:
        task: string, a task's name or a path.
        path: where the text will be; paths in it are relative to its folder.
    """
    if files.looks_like_path(task):
        task = str(Path(task).resolve())
    parts = [
        f"{_HEAD}: keras-fpt train --config {path.name}",
        "# Options given on the command line override those given here.",
        "",
        f"task = {_toml(task)}",
        *_label_lines(task),
    ]
    fields: dict[str, dataclasses.Field] = {}
    for source in _SOURCES:
        for field in dataclasses.fields(source):
            # If two options share a name, the first describes both, as for
            # flags.
            fields.setdefault(field.name, field)
    for topic in TOPICS:
        of_topic = [
            field
            for field in fields.values()
            if field.metadata.get("topic") == topic
        ]
        if of_topic:
            parts += ["", f"# === {topic} ==="]
        for field in of_topic:
            parts += ["", *_lines(field)]
    return "\n".join(parts) + "\n"


def _lines(field: dataclasses.Field) -> Iterator[str]:
    """The help and the default of an option, commented out."""
    default = field.metadata["default_text"]
    text = field.metadata["help"]
    if default is not None:
        text += f" Default: {default}."
    yield from textwrap.wrap(
        text,
        width=78,
        initial_indent="# ",
        subsequent_indent="# ",
        break_on_hyphens=False,
    )
    value = "" if field.default is None else f" {_toml(field.default)}"
    yield f"# {field.name} ={value}"


def _toml(value: Any) -> str:
    # JSON's strings, numbers and truth values are TOML's, too.
    return json.dumps(value, ensure_ascii=False)


def _label_lines(task: str) -> Iterator[str]:
    """Lines for the column of labels, if the task is a plain table."""
    columns = early.columns(early.head(Path(task)))
    if not columns:
        return
    likely = [name for name in columns if name.lower() in _LIKELY_LABELS]
    yield from textwrap.wrap(
        f"The column of labels. The columns are {', '.join(columns)}.",
        width=78,
        initial_indent="# ",
        subsequent_indent="# ",
    )
    comment = "" if likely else "# "
    yield f"{comment}label_column = {_toml((likely or columns)[0])}"
