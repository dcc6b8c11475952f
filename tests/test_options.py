"""An option is declared in one place, from which all else is derived."""

import dataclasses
import re

import pytest
import typer.testing

from keras_fpt import FPTClassifier, cli, options
from keras_fpt.models import ModelOptions, model_settings
from keras_fpt.runs import RunConfig, arms, config, resolve

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
        end = start + len(field.metadata["help"]) + len(str(shown)) + 30
        assert str(shown) in help_text[start:end]


def test_a_run_s_file_has_every_option_and_no_other(tmp_path):
    written = RunConfig("digits").with_settings(depth=2, learning_rate=1e-2)
    names = {
        *("task", "options", "source"),
        *options.names(RunConfig),
        *options.names(ModelOptions, python_only=False),
    }
    assert written.settings().keys() == names
    path = tmp_path / "config.json"
    path.write_text(written.to_json())
    assert RunConfig.read(path) == written


def test_every_arm_is_in_the_help(help_text):
    start = help_text.index("Where the weights come from")
    named = re.findall(r"\w+", help_text[start : start + 300])
    assert set(arms.ARMS) <= set(named)


@dataclasses.dataclass(frozen=True)
class NewerOptions(ModelOptions):
    scale: float = options.option(1.0, "A factor.", stored=True, since="0.2.0")


OF_THE_FIRST_VERSION = (
    *("task", "preset", "arm", "cache_features", "gradient_accumulation_steps"),
    *("steps", "batch_size", "learning_rate", "seed", "data_dir", "options"),
    *("source", "policy", "depth", "readout", "learned_positions", "quantize"),
    *("dtype", "rematerialize", "dropout"),
)


def test_a_later_option_at_its_default_leaves_names_as_they_were(monkeypatch):
    names = (*config.MODEL_OPTIONS, "scale")
    older = RunConfig("digits").identity()
    settings = RunConfig("digits").settings()
    assert older == {name: settings[name] for name in OF_THE_FIRST_VERSION}
    monkeypatch.setattr(config, "MODEL_OPTIONS", names)
    assert RunConfig("digits", model=NewerOptions()).identity() == older
    scaled = RunConfig("digits", model=NewerOptions(scale=2.0))
    assert scaled.identity() == {**older, "scale": 2.0}


def test_files_without_a_later_option_have_its_default(monkeypatch):
    model = FPTClassifier.from_preset("gpt2_tiny_en", load_weights=False)
    saved = model.head_config()
    lacking = {k: v for k, v in saved.items() if k != "readout"}
    with pytest.raises(ValueError, match="expected the settings"):
        model_settings.check_settings(lacking, "adapter")
    monkeypatch.setattr(
        model_settings, "_later", lambda head: {"readout": "last"}
    )
    assert model_settings.check_settings(lacking, "adapter") == saved


def test_runs_refuse_options_that_their_files_would_lose():
    low_rank = ModelOptions(policy="fpt+low_rank", lora_rank=2)
    with pytest.raises(ValueError, match="always has lora_rank=8"):
        resolve(RunConfig("digits", model=low_rank))


def test_unknown_settings_are_refused():
    with pytest.raises(TypeError, match="dept"):
        RunConfig("digits").with_settings(dept=2)
    with pytest.raises(ValueError, match="unknown field 'model'"):
        RunConfig.from_settings({"task": "digits", "model": {}}, "here")
