"""Recomputes the study's verdicts from the table of runs in `report.html`.

    python docs/study/recompute.py

It needs no data and no run: which test examples each run got right was not
kept, so that the number of test examples stands in for them, and what simple
rules reach is in `floors.json`, which `floors.py` wrote. It writes
`claims.csv` and the tables of arms, and two tables within `README.md`.
"""

import html.parser
import io
import json
import pathlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from keras_fpt.reports import page
from keras_fpt.results import Claim, arms_table, claims
from keras_fpt.results.arm_results import ArmResult, arm_results
from keras_fpt.results.summary import INDEX
from keras_fpt.runs import RunConfig

FOLDER = pathlib.Path(__file__).parent
ARMS = ("fpt", "random", "statistics", "finetune", "full", "lstm")
_EDGE_MARKS = {"highest": " ↑", "lowest": " ↓", "": "", None: ""}
_FIRST_CLAIM = re.compile(
    r'<li>(?P<text>[^:<]+): <strong class="[^"]+">(?P<status>[^<]+)</strong>'
    r"[^<]*?(?:95% interval (?P<low>\S+) to (?P<high>[-\d.]+)\))?[^<)]*</li>"
)


class _Rows(html.parser.HTMLParser):
    """The cells of every row of every table of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._in_cell = False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] += data


def read_runs(folder: pathlib.Path = FOLDER) -> pd.DataFrame:
    """The runs of the report, with the columns of `load_runs`.

    The page shows accuracies rounded to 0.01 points. With fewer than 10,000
    answers, the number of right ones follows; otherwise they stay rounded.
    """
    parser = _Rows()
    parser.feed((folder / "report.html").read_text(encoding="utf-8"))
    start = next(
        i for i, row in enumerate(parser.rows) if row[:2] == ["folder", "task"]
    )
    header, *rows = parser.rows[start:]
    tasks = _read_floors(folder)["tasks"]
    return pd.DataFrame(
        [_run(dict(zip(header, row, strict=True)), tasks) for row in rows]
    )


def _read_floors(folder: pathlib.Path) -> dict[str, Any]:
    return json.loads((folder / "floors.json").read_text(encoding="utf-8"))


def _run(shown: dict[str, str], tasks: dict[str, Any]) -> dict[str, Any]:
    config = RunConfig(
        shown["task"],
        arm=shown["arm"],
        preset=shown["settings"].removeprefix("preset ") or None,
        steps=int(shown["steps"]),
        learning_rate=float(shown["learning rate"]),
        seed=int(shown["seed"]),
    )
    held_out = tasks[config.task]

    def accuracy(split: str) -> float:
        """Of the number of right answers that rounds to what is shown."""
        if not shown[split]:
            return np.nan
        answers = held_out[split]["answers"]
        return round(float(shown[split]) / 100 * answers) / answers

    group = {k: v for k, v in config.identity().items() if k != "seed"}
    return config.settings() | {
        "group": json.dumps(group, sort_keys=True),
        "repeats": False,
        "folder": shown["folder"],
        "status": shown["status"],
        "final": bool(shown["test"]),
        "settings": shown["settings"],
        "validation_accuracy": accuracy("validation"),
        "test_accuracy": accuracy("test"),
        "test_majority_accuracy": held_out["test"]["rules"]["majority class"],
        "test_examples": held_out["test"]["examples"],
        "test_floors": held_out["test"]["rules"],
        "validation_floors": held_out["validation"]["rules"],
    }


def first_verdicts(folder: pathlib.Path = FOLDER) -> dict[tuple, str]:
    """What the first edition's report said of each task's claims."""
    text = (folder / "report.html").read_text(encoding="utf-8")
    found = {}
    for section in text.split('<h2 id="')[1:]:
        for claim in _FIRST_CLAIM.finditer(section):
            words = claim["status"]
            if claim["low"]:
                words += f" ({claim['low']} to {claim['high']})"
            found[section.split('"')[0], claim["text"]] = words
    return found


def claims_table(runs: pd.DataFrame, first: dict[tuple, str]) -> pd.DataFrame:
    """All claims: what the first edition said, and what can be said now.

    Args:
        runs: `pandas.DataFrame` of `read_runs`.
        first: dict of `first_verdicts`.
    """
    judged = claims(runs)
    seeds_only = claims(runs.drop(columns="test_examples"))
    # The search's runs of seed 0 remain, which tell where the edge is.
    fresh = claims(runs.assign(final=runs["final"] & (runs["seed"] != 0)))
    table = pd.read_csv(io.StringIO(page.claims_csv(judged)))
    return table.assign(
        first_edition=[first[claim.task, claim.text] for claim in judged],
        adjusted_p_value_of_seeds_alone=_adjusted(seeds_only),
        adjusted_p_value_without_seed_0=_adjusted(fresh),
    )


def _adjusted(judged: Sequence[Claim]) -> list[float]:
    return [claim.adjusted_p_value for claim in judged]


def arms_of(runs: pd.DataFrame) -> dict[tuple[str, str, str], ArmResult]:
    """What each arm has reached, by task, arm and settings."""
    return {
        (str(task), result.arm, result.settings): result
        for task, group in runs.groupby("task")
        for result in arm_results(group)
    }


def arms_with_floors(
    runs: pd.DataFrame, folder: pathlib.Path = FOLDER
) -> pd.DataFrame:
    """The first edition's table of arms with edges, floors and what learned.

    Steps to converge get a name that says how the first edition counted them;
    today's way needs the histories, which were not kept.
    """
    table = pd.read_csv(folder / "arms.csv")
    table = table[table["settings"] != arms_table.SIMPLE_RULE]
    table = table.rename(
        columns={"steps_to_converge": "steps_to_95_percent_of_own_best"}
    ).drop(columns=["edge", "learned"], errors="ignore")
    table = table.fillna({"settings": ""}).set_index(INDEX)
    results = arms_of(runs)
    place = list(table).index("train_accuracy")
    table.insert(place, "edge", [results[key].edge for key in table.index])
    learned = [results[key].has_learned for key in table.index]
    table.insert(place + 1, "learned", learned)
    counts = table["trainable_parameters"].astype("Int64")
    return arms_table.with_floors(
        table.assign(trainable_parameters=counts), runs
    )


def arms_markdown(
    runs: pd.DataFrame, table: pd.DataFrame, folder: pathlib.Path = FOLDER
) -> str:
    """Test accuracies: one row for each task and preset, one column an arm."""
    linear = _read_floors(folder)["logistic_regression"]
    results = arms_of(runs)
    rows = []
    for task, settings in dict.fromkeys((k[0], k[2]) for k in results):
        first = results[task, "fpt", settings]
        floor = first.floor
        assert floor is not None
        row = {
            "task": f"{task}, MiniLM" if settings else task,
            "steps": f"{first.steps:,}",
            "best simple rule": (f"{floor.name} {100 * floor.scores.mean:.1f}"),
            "linear model": (
                f"{100 * linear[task]['test']:.1f}" if task in linear else ""
            ),
        }
        for arm in ARMS:
            result = results.get((task, arm, settings))
            if result is None:
                row[arm] = ""
                continue
            known = table.loc[task, arm, settings]
            half = 100 * known["test_accuracy_interval"]
            row[arm] = f"{100 * known['test_accuracy']:.1f} ± {half:.1f}"
            row[arm] += _EDGE_MARKS[result.edge]
            row[arm] += "" if result.has_learned else " ✗"
        rows.append(row)
    return _markdown(pd.DataFrame(rows))


def claims_markdown(table: pd.DataFrame) -> str:
    """All claims, raw and adjusted p-values side by side."""
    shown = pd.DataFrame(
        {
            "task": table["task"],
            "is fpt above ...": table["below"].str.replace(
                "preset minilm", "MiniLM"
            ),
            "first edition": table["first_edition"],
            "points": [f"{100 * value:.1f}" for value in table["difference"]],
            "95% interval": [
                f"{100 * low:.1f} to {100 * high:.1f}"
                for low, high in zip(table["low"], table["high"], strict=True)
            ],
            "p": table["p_value"].map(_p),
            "p, adjusted": table["adjusted_p_value"].map(_p),
            "seeds alone": table["adjusted_p_value_of_seeds_alone"].map(_p),
            "without seed 0": table["adjusted_p_value_without_seed_0"].map(_p),
            "today": table["status"],
        }
    )
    return _markdown(shown)


def _p(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def _markdown(table: pd.DataFrame) -> str:
    lines = [list(table), ["---"] * len(table.columns), *table.values.tolist()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def with_tables(text: str, tables: dict[str, str]) -> str:
    """A page with its tables replaced, each between comments that name it."""
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
        before, rest = text.split(begin)
        text = f"{before}{begin}{table}\n{end}{rest.split(end)[1]}"
    return text


def outputs(folder: pathlib.Path = FOLDER) -> dict[str, str]:
    """The text of each file that is written, by its name."""
    runs = read_runs(folder)
    arms = arms_with_floors(runs, folder)
    judged = claims_table(runs, first_verdicts(folder))
    tables = {
        "arms": arms_markdown(runs, arms, folder),
        "claims": claims_markdown(judged),
    }
    readme = (folder / "README.md").read_text(encoding="utf-8")
    return page.table_texts(arms) | {
        "claims.csv": judged.to_csv(index=False),
        "README.md": with_tables(readme, tables),
    }


if __name__ == "__main__":
    for file, content in outputs().items():
        (FOLDER / file).write_text(content, encoding="utf-8")
