import builtins
import dataclasses
import inspect
import itertools
import json
import runpy
import subprocess
import sys
import typing

import pytest
import typer
from PIL import Image

from keras_fpt import cli
from keras_fpt.cli import backend

pytestmark = [
    pytest.mark.backend_free,
    pytest.mark.usefixtures("small_evaluations"),
]


def call(monkeypatch, *arguments):
    """Runs the command line in this process and returns its status."""
    monkeypatch.setattr(sys, "argv", ["keras-fpt", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code


def test_help_imports_no_heavy_library():
    """All pages in one process, so that what any of them imports is found."""
    pages = [["--help"], *([*path, "--help"] for path in command_paths())]
    program = (
        "import sys; sys.argv = ['keras-fpt', '--help']\n"
        "from keras_fpt.cli import main\n"
        "def call(words):\n"
        "    sys.argv = ['keras-fpt', *words]\n"
        "    try: main()\n"
        "    except SystemExit as stop: return stop.code\n"
        f"failed = [page for page in {pages} if call(page)]\n"
        "heavy = {'keras', 'tensorflow', 'torch', 'jax', 'matplotlib',\n"
        "         'numpy', 'pandas', 'scipy', 'sklearn', 'pydantic', 'PIL',\n"
        "         'h5py', 'jinja2', 'optuna'}\n"
        "print(failed, sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "[] []", done.stderr


def command_paths():
    """The words of each command, such as `["tasks", "show"]`."""
    todo = [([], typer.main.get_command(cli.app))]
    while todo:
        path, command = todo.pop()
        for name, inner in getattr(command, "commands", {}).items():
            todo.append(([*path, name], inner))
            yield [*path, name]


def test_train_and_evaluate(monkeypatch, preset, tmp_path, capsys):
    folder = tmp_path / "run"
    arguments = ("train", "bit-xor", "--preset", preset, "--output", folder)
    budget = ("--steps", 30, "--batch-size", 100)
    assert call(monkeypatch, *arguments, *budget) == 0
    out = capsys.readouterr().out
    metrics = json.loads((folder / "metrics.json").read_text())
    assert f"{metrics['test_accuracy']:.2%}" in out
    assert f"{metrics['trainable_parameters']:,} of" in out
    assert call(monkeypatch, "evaluate", folder) == 0
    assert f"{metrics['test_accuracy']:.2%}" in capsys.readouterr().out
    assert call(monkeypatch, *arguments, *budget) == 1
    assert "already contains a run" in capsys.readouterr().err
    assert call(monkeypatch, *arguments, *budget, "--resume") == 0
    assert "nothing to resume" in capsys.readouterr().out


def test_own_data_from_table_to_predictions(
    monkeypatch, preset, tmp_path, capsys
):
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{n % 7},{n % 2},{'ab'[n % 2]}\n" for n in range(60))
    (tmp_path / "mine.csv").write_text(f"u,v,kind\n{rows}")
    budget = ("--steps", 2, "--batch-size", 8, "--preset", preset)
    own = ("mine.csv", "--label-column", "kind", "--ignore-column", "u")
    assert call(monkeypatch, "tasks", "show", *own) == 0
    out = capsys.readouterr().out
    assert "mine: 60 sequences, 1 token of width 1 -> 2 classes" in out
    assert "scores 50.00%" in out
    assert (tmp_path / "mine.png").read_bytes()[:4] == b"\x89PNG"
    (tmp_path / "mine.png").write_text("my holiday")
    assert call(monkeypatch, "tasks", "show", *own) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "mine.png").read_text() == "my holiday"
    assert call(monkeypatch, "train", *own, *budget) == 0
    out = capsys.readouterr().out
    assert "43 train, 5 validation, 12 test" in out
    assert "Training classes:" in out and "majority class" in out
    run = "runs/mine-fpt-1"
    assert call(monkeypatch, "train", *own, *budget, "--resume",
                "--output", run) == 0  # fmt: skip
    assert "nothing to resume" in capsys.readouterr().out
    (tmp_path / "new.csv").write_text("v\n0\n1\n")
    assert call(monkeypatch, "predict", run, "new.csv", "-o", "p.csv") == 0
    assert "2 predictions written to p.csv" in capsys.readouterr().out
    lines = (tmp_path / "p.csv").read_text().splitlines()
    assert lines[0] == "example,prediction,probability_a,probability_b"
    assert [line.split(",")[0] for line in lines[1:]] == ["row 1", "row 2"]
    assert call(monkeypatch, "predict", run, "new.csv", "-o", "-") == 0
    assert capsys.readouterr().out.splitlines() == lines
    assert call(monkeypatch, "predict", run, "new.csv", "-o", "new.csv") == 1
    assert "would replace the input" in capsys.readouterr().err


def test_a_patch_size_is_of_images_or_of_series(
    monkeypatch, sums_file, tmp_path
):
    for name in "ab":
        (tmp_path / name).mkdir()
        for i in range(10):
            Image.new("L", (8, 8), 9 * i).save(tmp_path / name / f"{i}.png")
    found = []

    def stop(config, *arguments, **keywords):
        found.append((config.model.patch_size, config.options))
        raise ValueError("stop")

    monkeypatch.setattr("keras_fpt.runs.train", stop)
    for data in (sums_file, tmp_path, "digits"):
        assert call(monkeypatch, "train", data, "--patch-size", 8) == 1
    assert found == [(8, {}), (None, {"patch_size": 8}), (8, {})]

    def stop_study(study, *arguments, **keywords):
        stop(study.run)

    monkeypatch.setattr("keras_fpt.studies.run_sweep", stop_study)
    monkeypatch.setattr("keras_fpt.studies.run_comparison", stop_study)
    for command, data in itertools.product(
        ("sweep", "compare"), (sums_file, tmp_path)
    ):
        found.clear()
        output = ("--output", tmp_path / "study", "--patch-size", 8)
        assert call(monkeypatch, command, data, *output) == 1
        is_series = data == sums_file
        expected = (8, {}) if is_series else (None, {"patch_size": 8})
        assert found == [expected]


@pytest.mark.parametrize("task", ["bit-xor", "digits"])
def test_show_a_task(monkeypatch, tmp_path, capsys, task):
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, "tasks", "show", task, "-o", "it.png") == 0
    out = capsys.readouterr().out
    for word in ("license", "citation", "source", "majority class, test"):
        assert word in out
    assert (tmp_path / "it.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "my.csv", "--label-column", "y"), "no file or folder"),
        (("train", "digits", "--window", "3"), "has no window option"),
        (("train", "mnits"), "Did you mean 'mnist'?"),
        (("train", "digits", "--preset", "gpt3"), "Unknown preset 'gpt3'"),
        (("train", "digits", "--arm", "best"), "Unknown arm 'best'"),
        (("train", "digits", "--resume", "--overwrite"), "not both"),
        (("train", "digits", "--resume"), "is not the folder of"),
        (("evaluate", "/nowhere"), "contains no run"),
        (
            ("pretrain", "language-model", "--text", "/no.txt", "--output"),
            "no text file",
        ),
    ],
)
def test_bad_input_is_one_sentence(
    monkeypatch, tmp_path, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    if arguments[-1] == "--output":
        arguments = (*arguments, tmp_path / "out")
    assert call(monkeypatch, *arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("Error: ") and message in error
    assert "Traceback" not in error
    assert not list(tmp_path.rglob("config.json"))


@pytest.mark.parametrize(
    ("stop", "status"),
    [("Preempted", 75), ("KeyboardInterrupt", 130), ("MemoryError", 1)],
)
def test_what_stops_a_run_has_its_own_status(monkeypatch, stop, status):
    from keras_fpt import runs

    error = getattr(runs, stop, None) or getattr(builtins, stop)

    def train(*arguments, **options):
        raise error

    monkeypatch.setattr(runs, "train", train)
    assert call(monkeypatch, "train", "bit-xor") == status


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (MemoryError(), "There is not enough memory"),
        (MemoryError("Unable to allocate"), "Unable to allocate"),
        (OSError(), "OSError"),
    ],
)
def test_errors_without_a_text_are_not_printed_as_nothing(
    monkeypatch, capsys, error, text
):
    from keras_fpt import runs

    def train(*arguments, **options):
        raise error

    monkeypatch.setattr(runs, "train", train)
    assert call(monkeypatch, "train", "bit-xor") == 1
    assert capsys.readouterr().err.startswith(f"Error: {text}")


def test_usage_errors_have_their_own_status(monkeypatch, capsys):
    assert call(monkeypatch, "train", "digits", "--steps", "many") == 2
    assert call(monkeypatch, "trian") == 2


def test_debug_shows_the_traceback(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["keras-fpt", "--debug", "train", "mnits"])
    with pytest.raises(ValueError, match="mnits"):
        cli.main()


def test_lists(monkeypatch, capsys):
    assert call(monkeypatch, "tasks") == 0
    out = capsys.readouterr().out
    assert "bit_memory" in out and "digits" in out
    assert call(monkeypatch, "presets") == 0
    out = capsys.readouterr().out
    assert "gpt2_tiny_en" in out and "gpt2_base_en" in out


def test_show_a_preset(monkeypatch, preset, capsys):
    assert call(monkeypatch, "presets", "show", preset) == 0
    out = capsys.readouterr().out
    for word in ("GPT2Backbone", "width", "layer_norm", "trains", "frozen"):
        assert word in out
    assert f"{128 * 16:,}" in out  # Positions.


def test_defaults_of_pretraining_are_the_librarys():
    from keras_fpt.cli import pretrain
    from keras_fpt.pretraining import LanguageModelConfig

    parameters = inspect.signature(pretrain.language_model).parameters
    for field in dataclasses.fields(LanguageModelConfig):
        if field.name != "texts":
            assert parameters[field.name].default == field.default, field.name


def test_defaults_of_sweeps_are_the_librarys():
    from keras_fpt.cli.studies import sweep
    from keras_fpt.runs import RunConfig
    from keras_fpt.studies import SweepConfig, sweep_config
    from keras_fpt.studies.sweep import TAKEOVER_SECONDS

    parameters = inspect.signature(sweep).parameters
    default = SweepConfig(RunConfig("digits"))
    assert parameters["seeds"].default == default.seeds
    assert parameters["takeover_seconds"].default == TAKEOVER_SECONDS

    def shown(name):
        option = typing.get_args(parameters[name].annotation)[1]
        return option.show_default

    assert shown("arm") == " and ".join(default.arms)
    name, values = sweep_config.parse_search(shown("search"))
    assert {name: values} == default.search


def test_text_in_brackets_is_printed_as_it_is(monkeypatch, capsys):
    assert call(monkeypatch, "train", "[red]x[/red]") == 1
    assert "[red]x[/red]" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["nonsense", "TensorFlow", "torch "])
def test_an_unknown_backend_is_named(monkeypatch, name, capsys):
    monkeypatch.setenv("KERAS_BACKEND", name)
    assert call(monkeypatch, "train", "bit_xor") == 1
    error = capsys.readouterr().err
    assert "KERAS_BACKEND to be one of tensorflow, jax, torch" in error
    assert repr(name) in error


def test_variables_that_break_an_import_are_named(monkeypatch, capsys):
    def fail():
        int("many")

    monkeypatch.setattr(backend, "_import", fail)
    monkeypatch.setenv("KERAS_MAX_EPOCHS", "many")
    assert call(monkeypatch, "train", "bit_xor") == 1
    error = capsys.readouterr().err
    assert "cannot be loaded: invalid literal" in error
    assert "KERAS_MAX_EPOCHS='many'" in error


@pytest.mark.parametrize("module", ["keras_fpt", "keras_fpt.cli"])
def test_files_of_the_current_folder_are_not_imported(
    monkeypatch, tmp_path, module, capsys
):
    monkeypatch.chdir(tmp_path)
    # As `python -m` does.
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "argv", [module, "--help"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_module(module, run_name="__main__")
    assert stop.value.code == 0 and "Usage" in capsys.readouterr().out
    assert str(tmp_path) not in sys.path
