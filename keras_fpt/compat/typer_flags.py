"""Typer imports pydantic for the help page of each command in a group.

The flags that it adds to a group (`--help`, `--install-completion` and
`--show-completion`) have the default `None`. It converts values that are no
booleans with pydantic, whose import takes a third of the time of `--help`.
Typer 0.29 does so.
"""

from typing import Any

from typer.core import TyperGroup


class Group(TyperGroup):
    """A group of commands whose flags are `False` unless they are given."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters of the group itself."""
        parameters = super().get_params(ctx)
        for parameter in parameters:
            if getattr(parameter, "is_flag", False) and (
                parameter.default is None
            ):
                parameter.default = False
        return parameters
