"""Options as fields of frozen dataclasses.

Everything about an option is declared once, in its field: the type, the
default and the help text. The command line's flags, the files of runs, the
headers of adapters and the words that tell runs apart are derived from it.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any


def option(
    default: Any,
    help: str,
    *,
    default_text: str | None = None,
    describes_run: bool = False,
    stored: bool = False,
    python_only: bool = False,
) -> Any:
    """A dataclass field that is an option.

    Args:
        default: the value if none is given.
        help: string, one or two sentences for users.
        default_text: string, how the default is shown to users; `None` shows
            the value.
        describes_run: bool, whether the option is mentioned where runs of one
            arm are told apart.
        stored: bool, whether the option is saved with a model's new layers, in
            the headers of adapters and presets.
        python_only: bool, whether the command line and runs lack the option.
    """
    return dataclasses.field(
        default=default,
        metadata={
            "help": help,
            "default_text": default_text,
            "describes_run": describes_run,
            "stored": stored,
            "python_only": python_only,
        },
    )


def names(cls: Any, **wanted: bool) -> tuple[str, ...]:
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


def _has(metadata: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(metadata[name] == value for name, value in wanted.items())
