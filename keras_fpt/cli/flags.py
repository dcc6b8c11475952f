"""Flags of commands, generated from the options of dataclasses."""

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from keras_fpt import options


@dataclasses.dataclass(frozen=True)
class FlagsOf:
    """The options that become flags of a command.

    Args:
        dataclass: the dataclass; those nested in it are included.
        only: tuple of the options' names, or `None` for all.
    """

    dataclass: Any
    only: tuple[str, ...] | None = None

    def parameters(self) -> Iterator[inspect.Parameter]:
        """The flags, as typer reads them from a function's signature."""
        for cls in (self.dataclass, *_nested(self.dataclass)):
            hints = typing.get_type_hints(cls)
            fields = {field.name: field for field in dataclasses.fields(cls)}
            for name in options.names(cls, python_only=False):
                if self.only is None or name in self.only:
                    yield _parameter(fields[name], hints[name])


def with_flags(**sources: FlagsOf) -> Callable[[Callable], Callable]:
    """Replaces some of a command's arguments by flags.

    Args:
        **sources: by the argument's name, the options that become flags. The
            argument is then a dict from the options' names to their values.
            An option that several of them have becomes one flag, with the help
            of the first.

    Flags and help panels are in the order of their topics.
    """

    def decorate(command: Callable) -> Callable:
        flags = {name: list(s.parameters()) for name, s in sources.items()}
        parameters: list[inspect.Parameter] = []
        signature = inspect.signature(command)
        for parameter in signature.parameters.values():
            parameters += flags.get(parameter.name, [parameter])
        unique = {p.name: p for p in reversed(parameters)}
        parameters = [p for p in parameters if unique[p.name] is p]
        parameters.sort(key=_topic)

        @functools.wraps(command)
        def wrapped(**values: Any) -> Any:
            given = {
                argument: {p.name: values[p.name] for p in replaced}
                for argument, replaced in flags.items()
            }
            names = {name for found in given.values() for name in found}
            others = {k: v for k, v in values.items() if k not in names}
            return command(**others, **given)

        # Keyword-only, so that flags may come before required arguments.
        wrapped.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[
                p.replace(kind=inspect.Parameter.KEYWORD_ONLY)
                for p in parameters
            ]
        )
        return wrapped

    return decorate


def _topic(parameter: inspect.Parameter) -> int:
    """The index of a parameter's topic in `options.TOPICS`."""
    for info in getattr(parameter.annotation, "__metadata__", ()):
        panel = getattr(info, "rich_help_panel", None)
        return options.TOPICS.index(panel or options.TOPICS[0])
    return 0


def _nested(cls: Any) -> Iterator[Any]:
    """The dataclasses that are fields of a dataclass."""
    for hint in typing.get_type_hints(cls).values():
        if dataclasses.is_dataclass(hint):
            yield hint


def _parameter(field: dataclasses.Field, hint: Any) -> inspect.Parameter:
    metadata, names, shown = field.metadata, [], True
    if isinstance(field.default, bool):  # Without a --no-... flag.
        hint, names, shown = bool, [_flag(field.name)], False
    annotation = Annotated[
        hint,
        typer.Option(
            *names,
            help=metadata["help"],
            show_default=metadata["default_text"] or shown,
            rich_help_panel=metadata["topic"],
        ),
    ]
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=field.default,
        annotation=annotation,
    )


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
