"""`--resume FOLDER`, and other commands that need their folder alone."""

import json

import pandas as pd
import pytest
from typer.testing import CliRunner
from written_runs import write_run

from keras_fpt.cli import app, early
from keras_fpt.runs import RunConfig, evaluate, train
from keras_fpt.studies import study_folder

pytestmark = [
    pytest.mark.backend_free,
    pytest.mark.usefixtures("small_evaluations"),
]


@pytest.fixture(scope="module")
def run(preset, tmp_path_factory):
    """A run of two steps on a table of strings, and the table's folder."""
    folder = tmp_path_factory.mktemp("strings")
    rows = "".join(f"{'ab' * (n % 5 + 1)},{n % 2}\n" for n in range(40))
    for name in ("mine.csv", "test.csv"):
        (folder / name).write_text(f"text,kind\n{rows}")
    options = {"label_column": "kind", "text_column": "text"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        config = RunConfig("mine.csv", preset=preset, steps=2, options=options)
        train(config, "run")
    return folder


@pytest.fixture
def unloaded(monkeypatch):
    """Keras must not be imported."""

    def load():
        raise AssertionError("Keras was imported before.")

    for module in ("train", "results", "studies", "reproduce", "tasks"):
        monkeypatch.setattr(f"keras_fpt.cli.{module}.load_backend", load)


def invoke(*arguments):
    result = CliRunner().invoke(app, [*map(str, arguments)])
    return result.exit_code, result.output, result.exception


def test_train_takes_the_rest_from_the_folder(run, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert invoke("train", "--resume", run / "run")[0] == 0
    assert invoke("train", run / "run", "--resume", "--steps", 2)[0] == 0
    *_, error = invoke("train", "--resume", run / "run", "--steps", 3)
    assert "has steps=2 but received steps=3" in str(error)
    again = ("train", "--resume", run / "run", "--label-column", "text")
    assert isinstance(invoke(*again)[-1], ValueError)
    *_, error = invoke("train", "--resume", tmp_path)
    assert "is not the folder of" in str(error)


def test_runs_are_evaluated_from_everywhere(run, monkeypatch, tmp_path):
    metrics = json.loads((run / "run/metrics.json").read_text())
    before = metrics["test_accuracy"]
    for place, path in ((run, "run"), (tmp_path, run / "run")):
        monkeypatch.chdir(place)
        assert evaluate(path)["accuracy"] == pytest.approx(before)
    moved = tmp_path / "elsewhere"
    run.rename(moved)
    monkeypatch.chdir(moved / "run")
    try:
        assert evaluate(".")["accuracy"] == pytest.approx(before)
    finally:
        moved.rename(run)


def test_a_split_is_predicted(run, tmp_path):
    path = tmp_path / "p.csv"
    assert invoke("predict", run / "run", "-o", path)[0] == 0
    frame = pd.read_csv(path, dtype=str)
    metrics = json.loads((run / "run/metrics.json").read_text())
    right = (frame["prediction"] == frame["label"]).mean()
    assert right == pytest.approx(metrics["test_accuracy"])
    assert len(frame) == metrics["test_examples"]
    code, output, _ = invoke("predict", run / "run", "-o", path)
    assert code == 0 and "The previous contents of" in output


def stopping(found):
    """A function that notes its arguments and stops the command."""

    def stop(*arguments, **keywords):
        found.append(arguments)
        raise ValueError("stop")

    return stop


def test_sizes_are_compared_further(run, monkeypatch, tmp_path):
    monkeypatch.chdir(run)
    folder, found = tmp_path / "sizes", []
    monkeypatch.setattr(
        "keras_fpt.studies.size_comparison.run_comparison", stopping([])
    )
    own = ("mine.csv", "--label-column", "kind", "--text-column", "text")
    sizes = ("--sizes", "10,all", "-o", folder)
    invoke("compare", *own, "--test", "test.csv", "--finetune", *sizes)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("keras_fpt.studies.run_sizes", stopping(found))
    invoke("compare", "--resume", "sizes", "--budget", "90s")
    ((comparison, sizes, output, seconds, _),) = found
    assert (sizes, str(output), seconds) == ((10, None), "sizes", 90)
    assert comparison.finetune
    assert comparison.run.source == str(run / "mine.csv")
    assert comparison.run.options["test"] == str(run / "test.csv")
    *_, error = invoke("compare", "--resume", run)
    assert "is not the folder of" in str(error)


def test_a_question_is_answered_further(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "keras_fpt.studies.reproduce.run_variants", stopping([])
    )
    options = ("--budget", "hours", "--data-dir", tmp_path, "-o", "depth")
    invoke("reproduce", "depth", *options)
    write_run(tmp_path / "depth/runs/a", 0.5, data_dir=str(tmp_path))
    found = []
    monkeypatch.setattr(
        "keras_fpt.studies.reproduce.run_question", stopping(found)
    )
    invoke("reproduce", "--resume", "depth")
    ((question, budget, output, data_dir, _, stack),) = found
    assert stack == "auto"  # What the folder says.
    assert (question.name, budget, str(output)) == ("depth", "hours", "depth")
    assert data_dir == str(tmp_path)
    *_, error = invoke("reproduce", "--resume", "nowhere")
    assert "is not the folder of" in str(error)


def test_paths_of_a_study_may_be_spelled_otherwise():
    def described(task, **settings):
        run = RunConfig(task, **settings).with_absolute_paths()
        return {"run": run.identity(), "seeds": 3}

    one = described("data/my.csv", options={"labels": "a/b.csv"})
    other = described("/elsewhere/my.csv", options={"labels": "b.csv"})
    assert one != other and study_folder.is_same_study(one, other)
    for unlike in (
        described("data/your.csv", options={"labels": "b.csv"}),
        described("data/my.csv", options={"labels": "c.csv"}),
        described("data/my.csv", options={"labels": "b.csv"}, steps=3),
    ):
        assert not study_folder.is_same_study(one, unlike)


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "no.csv"),
        ("train", "digits", "--data-dir", "no"),
        ("train", "digits", "--preset", "gguf:no.gguf"),
        ("sweep", "no/data.csv", "-o", "out"),
        ("compare", "no.csv"),
        ("evaluate", "no"),
        ("predict", "no"),
        ("attention", "no"),
        ("report", "no"),
    ],
)
def test_what_does_not_exist_is_said_at_once(
    unloaded, monkeypatch, tmp_path, arguments
):
    monkeypatch.chdir(tmp_path)
    assert isinstance(invoke(*arguments)[-1], FileNotFoundError)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "moods.cvs"), "Did you mean `moods.csv`?"),
        (
            ("train", "moods.csv"),
            "--label-column. Its columns are speed, day, mood.",
        ),
        (
            ("compare", "moods.csv"),
            "--label-column. Its columns are speed, day, mood.",
        ),
        (
            ("train", "moods.csv", "--label-column", "mod"),
            "no column 'mod'. Its columns are speed, day, mood. Did you mean "
            "'mood'?",
        ),
        (
            ("sweep", "moods.csv", "--split-group", "dya", "-o", "out"),
            "no column 'dya'",
        ),
        (("tasks", "show", "moods.csv", "--ignore-column", "x"), "column 'x'"),
        (("train", "--config", "run.toml"), "no column 'name'"),
    ],
)
def test_columns_that_do_not_exist(
    unloaded, monkeypatch, tmp_path, arguments, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "moods.csv").write_text("speed;day;mood\n1;2;calm\n")
    (tmp_path / "run.toml").write_text(
        'task = "moods.csv"\nlabel_column = "name"\n'
    )
    assert message in str(invoke(*arguments)[-1])


def test_columns_that_may_exist(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("speed;day\n1;2\n")
    for options in (
        {"label_column": "column_2"},
        {"label_column": "9", "header": False},
        {"label_column": "ä"},
        {"label_column": "day", "group_column": ["speed"]},
    ):
        early.require_columns(str(path), options)
    # The same call with a column that the table certainly lacks.
    with pytest.raises(ValueError, match="dya"):
        early.require_columns(str(path), {"label_column": "dya"})
    path.write_text("# a remark\nspeed;day\n")
    early.require_columns(str(path), {"label_column": "x"})
    early.require_columns("digits", {"label_column": "x"})


def test_names_are_no_paths():
    for name in ("digits", "listops:bracketless", "bit-xor"):
        early.require_task(name)
    for preset in (None, "gpt2_tiny_en", "hf://user/model"):
        early.require_preset(preset)
    # The same calls with a path that does not exist.
    with pytest.raises(FileNotFoundError):
        early.require_task("./digits")
    with pytest.raises(FileNotFoundError):
        early.require_preset("./gpt2_tiny_en")


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "RUN", "-o", "-"),
        ("attention", "RUN", "-o", "-"),
        ("tasks", "show", "digits", "-o", "-"),
        ("train", "digits", "-o", "-"),
        ("sweep", "digits", "-o", "-"),
    ],
)
def test_a_dash_is_no_file(run, monkeypatch, tmp_path, arguments):
    monkeypatch.chdir(tmp_path)
    paths = [run / "run" if word == "RUN" else word for word in arguments]
    *_, error = invoke(*paths)
    assert "The output `-`" in str(error)
    assert not (tmp_path / "-").exists()
