"""The defaults of commands that depend on the kind of data."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner
from written_runs import write_run

from keras_fpt import runs, studies, tasks
from keras_fpt.cli import app
from keras_fpt.runs import RunConfig
from keras_fpt.studies import kind_defaults

pytestmark = pytest.mark.backend_free


@pytest.fixture
def series_file(tmp_path):
    """The path of a file of 40 series of 20 steps."""
    x = np.random.default_rng(0).normal(size=(40, 20, 2)).astype("float32")
    np.savez(tmp_path / "mine.npz", x=x, y=np.arange(40) % 2)
    return str(tmp_path / "mine.npz")


@pytest.fixture
def trained(monkeypatch):
    """The configurations that commands would train."""
    found = []

    class Stop(Exception):
        pass

    def train(config, *_, **__):
        found.append(config)
        raise Stop

    monkeypatch.setattr(runs, "train", train)
    monkeypatch.setattr(
        studies, "run_sweep", lambda config, *_, **__: train(config.run)
    )
    return found


def chosen(config):
    """The settings that depend on the kind of data."""
    model = config.model
    return model.patch_size, model.patch_stride, model.readout


def command(*arguments):
    CliRunner().invoke(app, [*map(str, arguments)])


@pytest.mark.parametrize(
    "steps, channels, size, stride",
    [
        (8, 1, None, None),
        (24, 1, 6, 3),
        (251, 1, 64, 32),
        # Wide patches would be more numbers than a hidden state has.
        (100, 64, 4, 4),
        (100, 13, 19, 13),
        # There are at most 64 tokens.
        (5000, 64, 79, 79),
        (100, 1000, 2, 2),
    ],
)
def test_patches(series_file, steps, channels, size, stride):
    task = dataclasses.replace(
        tasks.get(series_file), sequence_length=steps, input_dim=channels
    )
    found = kind_defaults.patches(task)
    assert (found.get("patch_size"), found.get("patch_stride")) == (
        size,
        stride,
    )


def test_commands_choose_them_for_your_own_series(
    series_file, trained, tmp_path
):
    command("train", series_file)
    command("train", series_file, "--patch-size", 1, "--readout", "last")
    command("train", series_file, "--readout", "mean")
    command("train", series_file, "--patch-size", 5)
    command("sweep", series_file, "--output", tmp_path / "sweep")
    search = ("--search", "patch_size=1,4", "--set", "readout=first")
    command("sweep", series_file, "--output", tmp_path / "sweep", *search)
    photos = tmp_path / "photos"
    for i in range(20):
        (photos / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        image = Image.new("L", (16, 16), 10 * i)
        image.save(photos / "ab"[i % 2] / f"{i}.png")
    command("train", photos)
    command("train", photos, "--patch-size", 1)
    strings = tmp_path / "strings.csv"
    strings.write_text("text,y\n" + 20 * "abc,0\nbca,1\n")
    columns = ("--text-column", "text", "--label-column", "y")
    command("train", strings, *columns)
    table = tmp_path / "table.csv"
    rows = [f"{i},{i * i % 7},{i % 2}" for i in range(40)]
    table.write_text("\n".join(["u,v,y", *rows]))
    command("train", table, "--label-column", "y")
    rows = ("--window", 10, "--task-type", "tokens")
    command("train", table, "--label-column", "y", *rows)
    command("train", "digits")
    command("train", series_file, "--recipe", "reference")
    assert [chosen(each) for each in trained] == [
        (6, 3, "last+mean"),
        (1, None, "last"),
        (6, 3, "mean"),
        (5, None, "last+mean"),
        (6, 3, "last+mean"),
        (None, None, "first"),
        (None, None, "flatten"),
        (None, None, "last+mean"),  # It has 256 patches.
        (None, None, "last+mean"),
        (None, None, "flatten"),
        (None, None, "token+mean"),
        (None, None, "last"),
        (None, None, "last"),
    ]


def test_a_config_file_is_as_the_command_line(series_file, trained, tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('task = "mine.npz"\nreadout = "last"\n')
    command("train", "--config", path)
    command("train", "--config", path, "--patch-size", 5)
    whole = tmp_path / "config.json"
    whole.write_text(RunConfig(series_file).to_json())
    command("train", "--config", whole)
    assert [chosen(each) for each in trained] == [
        (6, 3, "last"),
        (5, None, "last"),
        (None, None, "last"),
    ]


def test_what_was_begun_stays(series_file, trained, tmp_path):
    before = tmp_path / "before"
    write_run(before)
    path = before / "config.json"
    entry = json.loads(path.read_text())
    entry |= {"task": "mine", "source": series_file, "options": {}}
    path.write_text(json.dumps(entry))
    command("train", series_file, "--output", before, "--resume")
    config = studies.SweepConfig(RunConfig(series_file))
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "sweep.json").write_text(config.to_json())
    command("sweep", series_file, "--output", tmp_path / "sweep")
    assert [chosen(each) for each in trained] == 2 * [(None, None, "last")]


def test_what_follows_from_folds(series_file):
    config = RunConfig(series_file, options={"folds": 3})
    found = studies.with_kind_defaults(config, ())
    assert chosen(found) == (6, 3, "last+mean")
    assert found.options == {"folds": 3}
