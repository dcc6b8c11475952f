"""An option is declared in one place, from which all else is derived."""

import dataclasses

import pytest
import typer.testing

from keras_fpt import cli, options
from keras_fpt.models import ModelOptions
from keras_fpt.runs import RunConfig

pytestmark = pytest.mark.backend_free
OPTIONS = [
    *dataclasses.fields(RunConfig),
    *dataclasses.fields(ModelOptions),
]
FLAGS = [
    field
    for field in OPTIONS
    if field.metadata and not field.metadata["python_only"]
]


@pytest.fixture(scope="module")
def help_text():
    runner = typer.testing.CliRunner()
    result = runner.invoke(
        cli.app, ["train", "--help"], env={"COLUMNS": "200", "TERM": "dumb"}
    )
    assert result.exit_code == 0
    return " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize("field", FLAGS, ids=lambda field: field.name)
def test_every_option_is_a_flag_with_its_help_and_default(field, help_text):
    assert f"--{field.name.replace('_', '-')} " in help_text
    assert field.metadata["help"] in help_text
    shown = field.metadata["default_text"]
    if shown is None and not isinstance(field.default, bool):
        shown = field.default
    if shown is not None:
        start = help_text.index(field.metadata["help"])
        end = start + len(field.metadata["help"]) + 40
        assert str(shown) in help_text[start:end]


def test_a_run_s_file_has_every_option_and_no_other(tmp_path):
    config = RunConfig("digits").with_settings(depth=2, learning_rate=1e-2)
    names = {
        *("task", "options", "source"),
        *options.names(RunConfig),
        *options.names(ModelOptions, python_only=False),
    }
    assert config.settings().keys() == names
    path = tmp_path / "config.json"
    path.write_text(config.to_json())
    assert RunConfig.read(path) == config


def test_unknown_settings_are_refused():
    with pytest.raises(TypeError, match="dept"):
        RunConfig("digits").with_settings(dept=2)
    with pytest.raises(ValueError, match="unknown field 'model'"):
        RunConfig.from_settings({"task": "digits", "model": {}}, "here")
