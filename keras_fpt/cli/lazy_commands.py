"""Commands that are imported when they are used, so that help is quick.

This is the lazy loading of Click's documentation (Complex Applications, Lazily
Loading Subcommands) for a group of Typer's.
"""

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

import typer


class LazyCommands(Mapping[str, Any]):
    """The commands of a group, by name.

    Args:
        sources: for each name, the module and the attribute that is a
            function or a `typer.Typer`, such as `"my_package.train:train"`.
    """

    def __init__(self, sources: dict[str, str]):
        self._sources = sources
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            module, _, attribute = self._sources[name].partition(":")
            target = getattr(importlib.import_module(module), attribute)
            self._loaded[name] = _command(name, target)
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._sources

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)


def _command(name: str, target: Any) -> Any:
    if not isinstance(target, typer.Typer):
        function, target = target, typer.Typer(add_completion=False)
        target.command(name)(function)
    command = typer.main.get_command(target)
    command.name = name
    return command
