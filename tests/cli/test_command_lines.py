"""Every command line in the README and in docs/ is one that exists."""

import pathlib
import re
import shlex

import pytest
import typer

from keras_fpt.cli import app

pytestmark = pytest.mark.backend_free

REPOSITORY = pathlib.Path(__file__).parents[2]
DOCUMENTS = (
    *sorted(REPOSITORY.glob("*.md")),
    *sorted(REPOSITORY.glob("docs/**/*.md")),
    *sorted(REPOSITORY.glob("benchmarks/*.md")),
)
ROOT = typer.main.get_command(app)


def command_lines(text):
    """The commands in fenced blocks without a language, and in backticks."""
    for block in re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S):
        joined = block.replace("\\\n", " ")
        for line in joined.splitlines():
            found = re.search(r"(?:^|\s)keras-fpt (.*)", line)
            if found and line.lstrip().startswith(("keras-fpt", "KERAS_", "$")):
                yield found[1]
    outside = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    for found in re.findall(r"`keras-fpt ([^`]*)`", outside):
        yield re.sub("\n(> )?", " ", found)


LINES = sorted(
    {
        (path.relative_to(REPOSITORY).as_posix(), line.strip())
        for path in DOCUMENTS
        for line in command_lines(path.read_text("utf-8"))
        # A mention of an option, and not a whole command.
        if "..." not in line
    }
)


@pytest.mark.parametrize(("document", "line"), LINES)
def test_it_is_understood(document, line):
    words = [
        word
        for word in shlex.split(line, comments=True)
        if not word.startswith("$")  # A variable of the document's.
    ]
    ends = [i for i, word in enumerate(words) if word in (";", "&&", "|", ">")]
    words = words[: min(ends, default=len(words))]
    if "--help" in words:
        words.remove("--help")
    command = ROOT
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    if not words:
        return  # The name of a command in a sentence.
    if words[0].startswith("-") and command is ROOT:
        assert words[0] in {n for p in command.params for n in p.opts}
        return
    assert command is not ROOT, f"There is no command {words[0]!r}."
    try:
        command.make_context("keras-fpt", words)
    except Exception as error:
        # In a sentence, a command may be named with its options alone.
        if type(error).__name__ != "MissingParameter":
            raise


def test_there_are_many():
    assert len(LINES) > 40
