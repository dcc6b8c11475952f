"""`keras-fpt init` and `train --config`."""

import json
import tomllib

import pytest
from typer.testing import CliRunner

from keras_fpt.cli import app, config_file
from keras_fpt.runs import RunConfig

pytestmark = [
    pytest.mark.backend_free,
    pytest.mark.usefixtures("small_evaluations"),
]


@pytest.fixture
def table(tmp_path, monkeypatch):
    rows = "".join(f"{n % 7},{n % 2},{'ab'[n % 2]}\n" for n in range(60))
    (tmp_path / "mine.csv").write_text(f"u,v,class\n{rows}")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "mine.csv"


def invoke(*arguments):
    result = CliRunner().invoke(app, [*map(str, arguments)])
    return result.output if result.exit_code == 0 else result.exception


def test_what_init_writes_trains_and_a_runs_config_trains_again(
    table, preset, tmp_path
):
    assert "Written to run.toml" in invoke("init", "mine.csv")
    text = (tmp_path / "run.toml").read_text()
    assert tomllib.loads(text) == {"task": str(table), "label_column": "class"}
    assert "The columns are u, v, class." in text
    # Every comment that looks like an option is one, at its default.
    names = RunConfig("").settings().keys()
    for name in names - {"task", "options", "source"}:
        assert f"# {name} =" in text
    (tmp_path / "run.toml").write_text(f"{text}\nsteps = 9\nbatch-size = 8\n")
    again = ("--steps", 2, "--preset", preset, "-o")
    assert "accuracy" in invoke("train", "--config", "run.toml", *again, "one")
    saved = json.loads((tmp_path / "one/config.json").read_text())
    assert saved["steps"] == 2 and saved["batch_size"] == 8
    assert saved["options"]["label_column"] == "class"
    assert "accuracy" in invoke(
        "train", "--config", "one/config.json", "-o", "two"
    )
    metrics = [
        json.loads((tmp_path / name / "metrics.json").read_text())
        for name in ("one", "two")
    ]
    for each in metrics:
        del each["wall_seconds"]
    assert metrics[0] == metrics[1]


def test_lists_and_patches_of_series_in_a_file(table, preset, tmp_path):
    steps = "".join(
        f"{n % 7},{n},ann{n // 30},{'ab'[n // 15 % 2]}\n" for n in range(120)
    )
    table.write_text(f"u,row,person,class\n{steps}")
    (tmp_path / "run.toml").write_text(
        f'task = "mine.csv"\npreset = "{preset}"\nlabel_column = "class"\n'
        'group_column = ["person"]\nignore_column = "row"\n'
        "window = 6\nstride = 3\npatch_size = 2\nsteps = 1\n"
    )
    for name, flags in (("one", ()), ("two", ("--patch-size", 3))):
        assert "accuracy" in invoke(
            "train", "--config", "run.toml", *flags, "-o", name
        )
        saved = json.loads((tmp_path / name / "config.json").read_text())
        assert saved["patch_size"] == (3 if flags else 2)
        assert "patch_size" not in saved["options"]
        assert saved["options"]["group_column"] == "person"
        assert saved["options"]["ignore_column"] == ["row"]


def test_init_asks_for_the_labels_of_a_table_with_semicolons(tmp_path):
    path = tmp_path / "moods.csv"
    path.write_text("speed;day;mood\n1;2;calm\n")
    output = invoke("init", path, "-o", tmp_path / "run.toml")
    assert "name the column of labels" in output
    text = (tmp_path / "run.toml").read_text()
    assert "columns are speed, day, mood." in text
    assert '# label_column = "speed"' in text


def test_init_replaces_only_its_own_files(table, tmp_path):
    (tmp_path / "run.toml").write_text("mine = 1\n")
    assert "--overwrite" in str(invoke("init", "digits"))
    invoke("init", "digits", "--overwrite")
    invoke("init", "digits")
    config, _ = config_file.read(tmp_path / "run.toml")
    assert config == RunConfig("digits")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("task = ", "is not TOML"),
        ("steps = 3", "expected task"),
        ('task = "digits"\nstep = 3', "unknown option 'step'"),
        ('task = "digits"\nsteps = "many"', "steps"),
        ('task = "digits"\nwindow = "many"', "window"),
        ('task = "digits"\n[options]\nwindow = 3', "unknown option 'options'"),
    ],
)
def test_errors_name_the_file(tmp_path, text, message):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        config_file.read(path)
    assert "bad.toml" in str(error.value)


def test_paths_are_relative_to_the_file(tmp_path):
    path = tmp_path / "inner" / "run.toml"
    path.parent.mkdir()
    path.write_text('task = "../mine.csv"\nvalidation = "other.csv"\n')
    config, _ = config_file.read(path)
    assert config.task == str(tmp_path / "mine.csv")
    assert config.options == {"validation": str(path.parent / "other.csv")}
    assert config.keep is None  # The default of new runs.


def test_a_task_is_needed():
    assert CliRunner().invoke(app, ["train"]).exit_code == 2


@pytest.mark.parametrize(
    "value, option",
    [
        ('["u", "v"]', ["u", "v"]),
        ('["u"]', "u"),
        ('"u"', "u"),
    ],
)
def test_options_that_may_be_repeated_are_lists(value, option, tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(
        f'task = "mine.csv"\nlabel_column = {value}\nsplit_group = ["v"]\n'
    )
    options = config_file.read(path)[0].options
    assert options == {"label_column": option, "split_group": ["v"]}
