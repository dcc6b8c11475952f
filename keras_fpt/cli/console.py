"""The terminal: where the command line prints, and shows the log."""

import logging
import re

from rich.console import Console
from rich.markup import escape

from keras_fpt import logs

# All control characters but tabs and line breaks.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def _console(name: str) -> Console:
    return Console(
        file=logs.StandardStream(name),  # type: ignore[arg-type]
        soft_wrap=True,
        highlight=False,
        emoji=False,
    )


console = _console("stdout")
error_console = _console("stderr")


class _ConsoleHandler(logging.Handler):
    """Prints messages as they are."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            print_plain(self.format(record))
        except Exception:
            self.handleError(record)


def print_plain(text: str) -> None:
    """Prints text without interpreting brackets as markup."""
    console.print(without_control(text), markup=False)


def cell(text: str) -> str:
    """Any text as a cell of a `rich.table.Table`, or as its title."""
    return escape(without_control(text))


def without_control(text: str) -> str:
    r"""Text in which control characters are escapes such as `\x1b`.

    Otherwise names from data could change the terminal.
    """
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


_HANDLER = _ConsoleHandler()


def show_log() -> None:
    """Shows the package's messages on the console.

    On a terminal, lines are wrapped between words; elsewhere they are not
    wrapped.
    """
    for each in (console, error_console):
        each.soft_wrap = not each.is_terminal
    logs.replace_default_handler(_HANDLER)
