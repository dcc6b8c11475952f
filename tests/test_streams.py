"""Standard streams that are lost, or cannot show every character."""

import io
import os
import sys

import pytest

from keras_fpt import logs
from keras_fpt.cli.console import cell, console, print_plain
from keras_fpt.progress import StepProgress

pytestmark = pytest.mark.backend_free


def test_the_reader_of_a_stream_may_go(monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    pipe = open(writer, "w", encoding="utf-8")  # noqa: SIM115
    monkeypatch.setattr(sys, "stdout", pipe)
    monkeypatch.setattr(sys, "stderr", pipe)
    print_plain("one")
    console.print("two")
    with StepProgress("steps", 2) as progress:
        progress.on_train_batch_end(0, {"loss": 1.0})
    logs.LOGGER.info("three")
    pipe.write("What Python would flush when it ends.")
    pipe.flush()  # It would raise BrokenPipeError into the pipe.
    assert os.fstat(writer).st_rdev == os.stat(os.devnull).st_rdev
    pipe.close()


def test_a_full_disk_behind_a_stream_ends_nothing(monkeypatch):
    class Full(io.StringIO):
        def flush(self):
            self.flushed = True
            raise OSError(28, "No space left on device")

        def fileno(self):
            return os.open(os.devnull, os.O_WRONLY)

    monkeypatch.setattr(sys, "stdout", Full())
    print_plain("one")
    assert sys.stdout.flushed


def test_a_stream_may_be_closed(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    stream = logs.StandardStream("stdout")
    assert stream.write("x") == 1 and not stream.isatty()
    print_plain("one")


def test_characters_that_an_encoding_lacks_are_escapes(monkeypatch):
    content = io.BytesIO()
    stream = io.TextIOWrapper(content, "ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    print_plain("82.00 ± 12.71 l\udce9gende")
    assert content.getvalue() == b"82.00 \\xb1 12.71 l\\udce9gende\n"


def test_names_do_not_change_the_terminal(capsys):
    print_plain("a\x1b]0;pwned\x07\x9b31m :smile: [red]b[/]")
    expected = "a\\x1b]0;pwned\\x07\\x9b31m :smile: [red]b[/]\n"
    assert capsys.readouterr().out == expected
    assert cell("\x1b[red]") == r"\x1b\[red]"
