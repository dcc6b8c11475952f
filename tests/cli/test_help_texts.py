"""Every help page, as a terminal of 80 columns shows it."""

import collections
import re

import pytest
import typer
from typer.testing import CliRunner

from keras_fpt import options
from keras_fpt.cli import app
from keras_fpt.cli.task_options import TaskOptions
from keras_fpt.models import ModelOptions
from keras_fpt.pretraining import BitMemoryConfig, LanguageModelConfig
from keras_fpt.runs import RunConfig

pytestmark = pytest.mark.backend_free


def commands(command, path=()):
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))


PAGES = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("path", PAGES, ids=" ".join)
def test_defaults_are_shown_and_no_word_is_broken(path):
    environment = {"COLUMNS": "80", "TERM": "dumb", "TERMINAL_WIDTH": "80"}
    result = CliRunner().invoke(app, [*path, "--help"], env=environment)
    assert result.exit_code == 0
    lines = [line.strip("│╭╰─╮╯ ") for line in result.output.splitlines()]
    page = re.sub(r"\s+", " ", " ".join(lines))
    for option in PAGES[path].params:
        default = option.default
        if isinstance(getattr(option, "show_default", None), str):
            assert f"({option.show_default})" in page, option.name
        elif (
            default is not None
            and not isinstance(default, bool | list)
            and option.param_type_name == "option"
        ):
            assert f"[default: {default}]" in page, option.name
        words = (getattr(option, "help", None) or "").split()
        for word in words:
            if len(word) < 24:
                assert word in page, (option.name, word)


def test_every_page_opens_with_h_too():
    for path in PAGES:
        assert CliRunner().invoke(app, [*path, "-h"]).exit_code == 0, path


@pytest.mark.parametrize(
    "source",
    [
        RunConfig,
        ModelOptions,
        TaskOptions,
        BitMemoryConfig,
        LanguageModelConfig,
    ],
    ids=lambda source: source.__name__,
)
def test_every_option_has_a_topic(source):
    without = options.names(source, python_only=False, topic=None)
    assert not without, f"Give them a topic=, one of {options.TOPICS}."


@pytest.mark.parametrize("path", PAGES, ids=" ".join)
def test_options_are_grouped_by_topic(path):
    """In one order everywhere, and in no panel too long to look through."""
    panels = [
        getattr(option, "rich_help_panel", None) or options.TOPICS[0]
        for option in PAGES[path].params
        if option.param_type_name == "option"
    ]
    assert panels == sorted(panels, key=options.TOPICS.index)
    assert all(n <= 20 for n in collections.Counter(panels).values())
