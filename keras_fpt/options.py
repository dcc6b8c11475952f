"""Options as fields of frozen dataclasses.

Everything about an option is declared once, in its field: the type, the
default and the help text. The command line's flags, the files of runs, the
headers of adapters and the labels that distinguish runs are derived from it.
The options are in `models/options.py` and `runs/config.py`, and those of tasks
in `cli/task_options.py`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

# The headings of options in help pages and in the files of `keras-fpt init`.
TOPICS = (
    "Options",
    "Study",
    "Data",
    "Series",
    "Images and sounds",
    "Splits",
    "Model",
    "Training",
    "Rarely needed",
)


def option(
    default: Any,
    help: str,
    *,
    topic: str | None = None,
    default_text: str | None = None,
    describes_run: bool = False,
    stored: bool = False,
    since: str | None = None,
    former: Any = None,
    python_only: bool = False,
) -> Any:
    """A dataclass field that is an option.

    Args:
        default: the value if none is given.
        help: string, one or two sentences for users.
        topic: string, one of `TOPICS`, under which the help shows it. Every
            option of the command line has one.
        default_text: string, how the default is shown to users; `None` shows
            the value.
        describes_run: bool, whether the option is mentioned in labels that
            distinguish runs of one arm.
        stored: bool, whether the option is saved with a model's new layers, in
            the headers of adapters and presets.
        since: string, the version that added the option; `None` for those of
            the first version, 0.1.0. At its default, a later option changes
            no name of a run or study, and older files lack it.
        former: the value that is assumed for files without the option, where it
            differs from the default. It changes no name, either.
        python_only: bool, whether the command line and runs lack the option.
    """
    return dataclasses.field(
        default=default,
        metadata={
            "help": help,
            "topic": topic,
            "default_text": default_text,
            "describes_run": describes_run,
            "stored": stored,
            "since": since,
            "former": former,
            "python_only": python_only,
        },
    )


def names(cls: Any, **wanted: Any) -> tuple[str, ...]:
    """The names of a dataclass's options, in their order.

    Args:
        cls: a dataclass, or an instance of one.
        **wanted: values that the metadata must have, e.g. `stored=True`.

    >>> @dataclasses.dataclass
    ... class Shape:
    ...     sides: int = option(4, "Number of sides.", stored=True)
    ...     color: str = option("red", "Color.")
    >>> names(Shape), names(Shape, stored=True)
    (('sides', 'color'), ('sides',))
    """
    return tuple(
        field.name
        for field in dataclasses.fields(cls)
        if "help" in field.metadata and _has(field.metadata, wanted)
    )


def later(cls: Any) -> dict[str, Any]:
    """The options that the first version lacks, and their defaults.

    Args:
        cls: a dataclass, or an instance of one.
    """
    return {
        field.name: field.default
        for field in dataclasses.fields(cls)
        if field.metadata.get("since")
    }


def former(cls: Any) -> dict[str, Any]:
    """The options whose absence means another value than the default.

    Args:
        cls: a dataclass, or an instance of one.

    Returns:
        A dict from their names to that value.
    """
    return {
        field.name: field.metadata["former"]
        for field in dataclasses.fields(cls)
        if field.metadata.get("former") is not None
    }


def _has(metadata: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(metadata[name] == value for name, value in wanted.items())
