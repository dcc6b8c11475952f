"""The command lines of the README and of docs/ run, with few steps.

Those of a document run in its order and in one folder, where the files are that
they name. What cannot run here is listed with the reason, and is parsed as all
are, in `test_command_lines.py`.
"""

import dataclasses
import os
import pathlib
import re
import runpy
import shlex

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from test_command_lines import DOCUMENTS, REPOSITORY, ROOT, command_lines
from typer.testing import CliRunner

from keras_fpt.cli import app
from keras_fpt.studies import question

pytestmark = [
    pytest.mark.backend_free,
    pytest.mark.usefixtures("small_evaluations"),
]
PARSED_ONLY = {
    r"\b(mnist|cifar10|cifar10-lra)\b": "It downloads a data set.",
    r"\b(TAPE|remote-homology)\b": "It needs the data of TAPE.",
    r"--distribution": "Several devices: tests/distribution/ has them.",
    r"--preset minilm|\bstudy/|\$A|\$B": "The study takes hours.",
    r"\barm bit\b|pretrain bit-memory": "tests/pretraining/ does, for minutes.",
    r"^train --train-examples": "It names an option alone.",
    r"Covid3Month": "It needs the data of aeon.",
}
# The first documents that people read run every day, but for studies.
EVERY_DAY = ("README.md", "docs/command_line.md")
STUDIES = r"^(compare|sweep|reproduce|pretrain)\b|my_preset"
# The words of documents, in turn, and what stands for them here.
SHORTER = {
    r"\bTASK\b": "digits",
    r"\bARM\b": "random",
    r"^init DATA": "init walks.csv",
    r"\bDATA\b": "prices.csv --label-column price",
    r"\bFOLDER\b": "runs/digits-fpt-1",
    r"\bRUN\b": "runs/digits-fpt-1",
    r"--steps \d+": "--steps 2",
    r"--budget \d+m": "--budget 15s",
    r"--workers \d+": "--workers 1",
    r"study/bit_memory/runs/fpt-0.003-seed0-\*": "runs/digits-fpt-1",
}
MORE = {
    "train": "--steps 2 --batch-size 8 --preset {preset}",
    "compare": "--steps 2 --batch-size 8 --preset {preset} --budget 15s",
    "sweep": "--steps 2 --preset {preset} --set batch_size=8 --seeds 1 "
    "--extensions 0 --search learning_rate=1e-3",
    "pretrain": "--num-layers 1 --num-heads 1 --hidden-dim 8 --batch-tokens 64 "
    "--vocabulary-size 260 --max-sequence-length 64 "
    "--short-sequence-length 32 --tokens 128",
}


def whole_commands(document):
    """The lines of a document that are more than a name or an option."""
    for line in dict.fromkeys(command_lines(document.read_text("utf-8"))):
        words = shlex.split(line, comments=True)
        ends = [i for i, word in enumerate(words) if word in (";", "&&", "|")]
        words = words[: min(ends, default=len(words))]
        if "..." in line or not words or words[0].startswith("-"):
            continue
        command, path = ROOT, []
        while words[len(path) :] and words[len(path)] in getattr(
            command, "commands", {}
        ):
            command = command.commands[words[len(path)]]
            path.append(words[len(path)])
        if len(words) == len(path) and path not in (["tasks"], ["presets"]):
            continue  # The name of a command, in a sentence.
        yield shlex.join(words).replace("'$", "$")


COMMANDS = {
    path.relative_to(REPOSITORY).as_posix(): [*whole_commands(path)]
    for path in DOCUMENTS
}


def why_not(line):
    reasons = (r for p, r in PARSED_ONLY.items() if re.search(p, line))
    return next(reasons, None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files that documents name."""
    folder = tmp_path_factory.mktemp("documented")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        runpy.run_path(str(REPOSITORY / "examples/make_walks.py"))
        for name in ("walks.csv", "new_walks.csv"):
            head, *rows = pathlib.Path(name).read_text().splitlines()
            pathlib.Path(name).write_text("\n".join([head, *rows[::10], ""]))
        write_files()
    return folder


def write_files():
    random = np.random.default_rng(0)
    rows = "".join(f"{n},{n + 0.5}\n" for n in range(60))
    pathlib.Path("prices.csv").write_text(f"size,price\n{rows}")
    rows = "".join(f"{n},{n % 7},{'ab'[n % 2]}\n" for n in range(60))
    pathlib.Path("rows.csv").write_text(f"u,v,y\n{rows}")
    states = random.integers(0, 2, (40, 2))
    for name in ("weather.csv", "new_weather.csv"):
        rows = "".join(f"{n},{a},{b}\n" for n, (a, b) in enumerate(states))
        pathlib.Path(name).write_text(f"pressure,rain,wind\n{rows}")
    years = np.arange(1700, 1850)
    activity = 50 + 40 * np.sin(years / 11 * 2 * np.pi)
    rows = "".join(map("{},{:.1f}\n".format, years, activity))
    pathlib.Path("sunspots.csv").write_text(f"year,activity\n{rows}")
    rows = "".join(
        f"{n},{(50 + n % 7) if n < 140 else ''},{n % 2},{n % 5}\n"
        for n in range(147)
    )
    pathlib.Path("sales.csv").write_text(f"day,sales,holiday,price\n{rows}")
    diabetes = load_diabetes(as_frame=True, scaled=False).frame
    diabetes[::4].to_csv("diabetes.csv", index=False)
    pathlib.Path("novels.txt").write_text("It was a dark night. " * 500)
    for name in ("BasicMotions", "JapaneseVowels"):
        for part in ("TRAIN", "TEST"):
            series = [
                ":".join(
                    ",".join(f"{value:.2f}" for value in channel)
                    for channel in random.normal(size=(2, 12))
                )
                for _ in range(24)
            ]
            lines = [f"{one}:{'ab'[i % 2]}" for i, one in enumerate(series)]
            pathlib.Path(f"{name}_{part}.ts").write_text(
                f"@problemName {name}\n@timeStamps false\n@univariate false\n"
                "@equalLength true\n@classLabel true a b\n@data\n"
                + "\n".join(lines)
                + "\n"
            )
    lines = ["file,class"]
    for n in range(24):
        rows = random.normal(size=(5, 2))
        np.savetxt(f"{n}.csv", rows, delimiter=",", header="u,v", comments="")
        lines.append(f"{n}.csv,{'ab'[n % 2]}")
    pathlib.Path("labels.csv").write_text("\n".join(lines) + "\n")


def invoke(line):
    result = CliRunner().invoke(app, shlex.split(line), input="y\n")
    assert result.exit_code == 0, (line, result.exception, result.output)
    return result.output


def run_line(line, preset):
    """Runs a command that is shorter than a document's."""
    for long, short in SHORTER.items():
        line = re.sub(long, short, line)
    name = line.split()[0]
    if "listops" in line:
        preset = "gpt2_tiny_en"  # Its sequences are longer than the other's.
    more = [
        part
        for part in re.findall(r"--\S+ \S+", MORE.get(name, ""))
        if part.split()[0] not in line.split()
        # A file of options says what is trained.
        and "config.json" not in line
    ]
    for word in re.findall(r"runs/\S+|sweeps\b", line):
        if not os.path.exists(word) and name not in ("train", "sweep"):
            make(word, preset)
    if "run.toml" in line:
        text = pathlib.Path("run.toml").read_text()
        text = re.sub("# label_column = .*", 'label_column = "activity"', text)
        pathlib.Path("run.toml").write_text(text)
    return invoke(" ".join([line, *more]).format(preset=preset))


def make(word, preset):
    """Trains a run that a command needs and that no command has trained."""
    task, arm = {"sweeps": ("digits", "fpt")}.get(word) or re.match(
        r"runs/(\w+)-(\w+)-\d+", word
    ).groups()
    own = "--label-column activity --group-column person --window 50"
    task = f"walks.csv {own}" if task == "walks" else task
    output = "sweeps/one" if word == "sweeps" else word
    run_line(f"train {task} --arm {arm} -o {output}", preset)


def is_slow(document, line):
    return document not in EVERY_DAY or re.search(STUDIES, line) is not None


@pytest.mark.parametrize("document", EVERY_DAY)
def test_the_commands_run(document, folder, preset, monkeypatch):
    monkeypatch.chdir(folder)
    for line in COMMANDS[document]:
        if why_not(line) is None and not is_slow(document, line):
            run_line(line, preset)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("document", "line"),
    [
        (document, line)
        for document, lines in COMMANDS.items()
        for line in lines
        if why_not(line) is None and is_slow(document, line)
    ],
)
def test_the_slow_commands_run(document, line, folder, preset, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr("keras_fpt.studies.load_question", short_question)
    if line.startswith("train digits --preset my_preset"):
        (make_preset,) = filter(
            re.compile("pretrain language").match, COMMANDS[document]
        )
        if not pathlib.Path("my_preset/config.json").exists():
            run_line(make_preset, preset)
    run_line(line, preset)


def short_question(name):
    asked = question.load_question(name)
    budget = question.Budget("gpt2_tiny_en", (1e-3, 1e-2), 1, {"bit_xor": 2})
    return dataclasses.replace(asked, budgets={"minutes": budget})


def test_what_is_parsed_only_is_documented():
    lines = [line for lines in COMMANDS.values() for line in lines]
    for pattern in PARSED_ONLY:
        assert any(re.search(pattern, line) for line in lines), pattern
    assert len([line for line in lines if why_not(line) is None]) > 30
