"""The terminal: where the command line prints, and shows the log."""

import logging

from rich.console import Console

from keras_fpt import logs

console = Console(soft_wrap=True, highlight=False)


class _ConsoleHandler(logging.Handler):
    """Prints messages as they are."""

    def emit(self, record: logging.LogRecord) -> None:
        print_plain(self.format(record))


def print_plain(text: str) -> None:
    """Prints text without interpreting brackets as markup."""
    console.print(text, markup=False)


_HANDLER = _ConsoleHandler()


def show_log() -> None:
    """Shows the package's messages on the console."""
    logs.replace_default_handler(_HANDLER)
