import html.parser
import json
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import pandas as pd
import pytest
from written_runs import write_numbers, write_run

from keras_fpt import cli
from keras_fpt.reports import write_report
from keras_fpt.results import load_runs

pytestmark = pytest.mark.backend_free


@pytest.fixture
def runs(tmp_path):
    """Two arms at two rates, with two seeds at the best; one run diverged."""
    for seed, accuracy in enumerate((0.91, 0.93)):
        for arm, less in (("fpt", 0), ("random", 0.2)):
            folder = tmp_path / f"{arm}{seed}"
            write_run(folder, accuracy - less, arm=arm, seed=seed)
    slow = {"learning_rate": 1e-4, "test": False}
    write_run(tmp_path / "slow", 0.6, **slow)
    write_run(tmp_path / "lost", arm="random", error="inf", **slow)
    return tmp_path


class Page(html.parser.HTMLParser):
    """The cells of a page's tables, and what it would load."""

    def __init__(self, text):
        super().__init__()
        self.cells, self.loaded, self.tags, self.within = [], [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag in ("td", "th"):
            self.within = True
            self.cells.append("")
        for name, value in attributes:
            if name in ("src", "href", "xlink:href") and value[:1] != "#":
                self.loaded.append(value)

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.within = False

    def handle_data(self, data):
        if self.within:
            self.cells[-1] += data


def test_a_page_with_everything_in_it(runs, tmp_path):
    path = tmp_path / "report.html"
    write_report([runs], path)
    text = path.read_text()
    page = Page(text)
    assert page.loaded == [] and page.tags.count("script") == 1
    assert page.tags.count("svg") == 2
    assert "82.00 ± 12.71" in page.cells  # of 0.81 and 0.83
    assert "100.00 (table 1)" in page.cells  # the paper's bit XOR
    assert "5 finished runs, 1 diverged." in text
    assert '"cannot-be-told">cannot be told: best rate at the edge<' in text
    assert "0.001 (highest tried)" in page.cells
    assert "the difference is 20.0 points" in text
    simple_rule = page.cells.index("majority class")
    assert page.cells[simple_rule + 1 : simple_rule + 3] == [
        "simple rule",
        "50.00",
    ]
    start = page.cells.index("one learning rate for all")
    assert page.cells[start : start + 9] == [
        *("one learning rate for all", "fpt", "random"),
        *("0.0001", "60.00", ""),
        *("0.001", "91.00", "71.00"),
    ]


def test_runs_of_which_none_has_finished(tmp_path):
    for rate in (0.1, 1.0):
        folder = tmp_path / str(rate)
        write_run(folder, error="The loss became inf", learning_rate=rate)
    write_report([tmp_path], tmp_path / "report.html", tmp_path / "tables")
    assert (
        "0 finished runs, 2 diverged." in (tmp_path / "report.html").read_text()
    )


def test_the_same_runs_give_the_same_page(runs, tmp_path):
    paths = [tmp_path / f"{i}.html" for i in range(2)]
    for path in paths:
        write_report([runs], path)
    assert paths[0].read_text() == paths[1].read_text()


def test_names_are_no_html(tmp_path):
    write_run(tmp_path / "<b>&amp;")
    path = tmp_path / "report.html"
    write_report([tmp_path], path)
    page = Page(path.read_text())
    assert str(tmp_path / "<b>&amp;") in page.cells
    assert "b" not in page.tags


def test_names_are_no_paths_and_tables_hold_no_markup(tmp_path):
    tasks = [
        "l\udce9gende",
        "../../outside",
        "..|..|outside",
        "=1+1|<b>\\input{x}",
    ]
    for index, task in enumerate(tasks):
        folder = tmp_path / "runs" / str(index)
        write_run(folder)
        for name in ("config.json", "metrics.json"):
            entry = json.loads((folder / name).read_text())
            (folder / name).write_text(json.dumps({**entry, "task": task}))
    out = tmp_path / "a" / "b"
    out.mkdir(parents=True)
    write_report([tmp_path / "runs"], out / "r.html", out, figures=out)
    assert sorted(path.name for path in out.iterdir()) == [
        "-1-1--b--input-x--curves.svg",
        "..-..-outside-3-curves.svg",
        "..-..-outside-curves.svg",
        "arms.csv",
        "arms.md",
        "arms.tex",
        "claims.csv",
        "l-udce9gende-curves.svg",
        "r.html",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "runs"]
    assert "\n'=1+1|<b>" in (out / "arms.csv").read_text()
    assert r"=1+1\|&lt;b&gt;\\input{x}" in (out / "arms.md").read_text()
    assert "input\\{x\\}" in (out / "arms.tex").read_text()


def test_reports_replace_reports_alone(runs, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    for _ in range(2):
        write_report([runs], out / "r.html", out, figures=out)
    for name in ("r.html", "arms.csv", "arms.md", "arms.tex"):
        before = (out / name).read_text()
        (out / name).write_text("mine")
        with pytest.raises(FileExistsError, match=name):
            write_report([runs], out / "r.html", out, figures=out)
        assert (out / name).read_text() == "mine"
        (out / name).write_text(before)
    figure = out / "bit_xor-curves.svg"
    figure.write_text("mine")
    with pytest.raises(FileExistsError, match="curves.svg"):
        write_report([runs], out / "r.html", figures=out)
    write_report([runs], out / "r.html", figures=out, overwrite=True)
    assert figure.read_text().startswith("<svg")
    with pytest.raises(FileExistsError, match="the input"):
        write_report([runs], runs / "fpt0" / "metrics.json", overwrite=True)


@pytest.mark.parametrize(
    ("file", "entry", "words"),
    [
        ("metrics.json", {"learning_rate": "fast"}, "learning_rate"),
        ("metrics.json", {"steps": {}}, "steps"),
        ("metrics.json", {"task": ["x"]}, "task"),
        ("metrics.json", {"preset": {"a": 1}}, "preset"),
        ("metrics.json", {"wall_seconds": "x"}, "wall_seconds"),
        ("metrics.json", {"test_accuracy": [1]}, "test_accuracy"),
        ("metrics.json", {"validation_loss": True}, "validation_loss"),
        ("history.csv", "", "damaged"),
        ("history.csv", "step,validation_accuracy\nx,y\n", "damaged"),
        ("history.csv", "step,seconds\n25,1\n", "validation_accuracy"),
        ("history.csv", "step,validation_accuracy\n1\n", "damaged"),
        ("diverged.json", {"error": 3}, "error|final"),
    ],
)
def test_hostile_files_of_runs_are_named(tmp_path, file, entry, words):
    write_run(tmp_path / "run")
    path = tmp_path / "run" / file
    if isinstance(entry, dict):
        before = json.loads(path.read_text()) if path.exists() else {}
        entry = json.dumps({**before, **entry})
    path.write_text(entry)
    with pytest.raises(ValueError, match=f"{file}`.*({words})"):
        write_report([tmp_path], tmp_path / "r.html")


def test_a_run_does_not_say_where_it_lies(tmp_path):
    write_run(tmp_path / "run")
    path = tmp_path / "run" / "metrics.json"
    entry = json.loads(path.read_text())
    for name, value in (("folder", "/etc"), ("status", "x"), ("final", "x")):
        path.write_text(json.dumps({**entry, name: value}))
        (row,) = load_runs(tmp_path).to_dict("records")
        assert row["folder"] == str(tmp_path / "run")
        assert (row["status"], row["final"]) == ("finished", True)


def test_tables_in_three_formats(runs, tmp_path):
    table = write_report([runs], tmp_path / "report.html", tmp_path / "tables")
    read = pd.read_csv(tmp_path / "tables" / "arms.csv")
    assert list(read["arm"]) == ["fpt", "random", "majority class"]
    claims = pd.read_csv(tmp_path / "tables" / "claims.csv")
    (claim,) = claims.to_dict("records")
    assert claim["status"] == "cannot be told: best rate at the edge"
    assert claim["difference"] == pytest.approx(0.2)
    assert claim["adjusted_p_value"] == claim["p_value"]
    assert read["test_accuracy"].to_list() == table["test_accuracy"].to_list()
    markdown = (tmp_path / "tables" / "arms.md").read_text().splitlines()
    assert len(markdown) == 5 and markdown[2].startswith("| bit_xor")
    latex = (tmp_path / "tables" / "arms.tex").read_text()
    assert latex.startswith("\\begin{tabular}") and "bit\\_xor" in latex


def test_pictures_as_files(runs, tmp_path):
    write_report([runs], tmp_path / "report.html", figures=tmp_path / "figures")
    files = sorted((tmp_path / "figures").iterdir())
    assert [f.name for f in files] == [
        "bit_xor-curves.svg",
        "bit_xor-rates.svg",
    ]
    for file in files:
        assert ElementTree.parse(file).getroot().tag.endswith("}svg")


def test_the_command_line_writes_it(runs, tmp_path, monkeypatch, capsys):
    path = tmp_path / "report.html"
    arguments = ["report", runs, "-o", path]
    monkeypatch.setattr(sys, "argv", ["keras-fpt", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 0
    assert "82.00% ± 12.71" in capsys.readouterr().out


def test_a_browser_shows_it(runs, tmp_path):
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        pytest.skip(f"no browser here: none of {', '.join(names)} found")
    path, picture = tmp_path / "report.html", tmp_path / "report.png"
    write_report([runs], path)
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu"]
    shown = subprocess.run(
        [*command, "--dump-dom", path.as_uri()],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout
    assert Page(shown).tags.count("svg") == 2 and "82.00 ± 12.71" in shown
    subprocess.run(
        [*command, f"--screenshot={picture}", path.as_uri()],
        check=True,
        timeout=120,
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    )
    assert picture.stat().st_size > 10_000


def test_regressions_have_a_section_of_their_own(tmp_path, capsys, monkeypatch):
    for seed, rmse in enumerate((2.0, 3.0)):
        write_numbers(tmp_path / f"run{seed}", rmse, seed=seed)
    table = write_report([tmp_path], tmp_path / "report.html")
    assert not any("accuracy" in column for column in table)
    assert list(table["test_rmse"]) == [2.5, 4.5]
    page = Page((tmp_path / "report.html").read_text())
    cells = page.cells[page.cells.index("fpt") :]
    assert cells[2:5] == ["2.5 ± 6.353", "1.5", "0.7500"]
    assert "RMSE 3" in page.cells and "mean of train" in page.cells
    write_run(tmp_path / "classes")  # Beside runs of classes.
    path = str(tmp_path / "report.html")
    arguments = ["keras-fpt", "report", str(tmp_path), "-o", path]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit):
        cli.main()
    shown = capsys.readouterr().out
    assert "prices" in shown and "bit_xor" in shown and "80.00%" in shown
