"""Tests that take minutes: `pytest -m slow`."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("task", "accuracy"), [("digits", 0.90), ("bit_xor", 0.99)]
)
def test_the_default_command_reaches(task, accuracy, tmp_path):
    command = "from keras_fpt.cli import main; main()"
    subprocess.run(
        [sys.executable, "-c", command, "train", task], cwd=tmp_path, check=True
    )
    metrics = tmp_path / "runs" / f"{task}-fpt-1" / "metrics.json"
    assert json.loads(metrics.read_text())["test_accuracy"] >= accuracy


def test_the_wheel_has_the_preset_and_the_command(tmp_path):
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet"]
    subprocess.run([*pip, str(ROOT), "-w", str(tmp_path)], check=True)
    (wheel,) = tmp_path.glob("keras_fpt-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        size = sum(
            info.compress_size
            for info in archive.infolist()
            if "presets/gpt2_tiny_en" in info.filename
        )
    folder = "keras_fpt/presets/gpt2_tiny_en"
    for name in (
        "config.json",
        "model.weights.h5",
        "README.md",
        "tokenizer.json",
        "assets/tokenizer/merges.txt",
        "assets/tokenizer/vocabulary.json",
    ):
        assert f"{folder}/{name}" in names
    for name in ("page.html.jinja", "page.css", "page.js"):
        assert f"keras_fpt/reports/{name}" in names
    assert size <= 12e6
    assert any(name.endswith("entry_points.txt") for name in names)


@pytest.mark.parametrize(
    "example", sorted(path.name for path in (ROOT / "examples").glob("*.py"))
)
def test_examples_run(example, tmp_path, request):
    environment = dict(os.environ)
    if example == "mnist.py":
        folder = request.getfixturevalue("real_data").resolve()
        environment["TFDS_DATA_DIR"] = str(folder / "tensorflow_datasets")
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / example)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "test accuracy" in done.stdout
