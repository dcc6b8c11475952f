"""What runs have found, as one page that stands alone, and as tables."""

import base64
import dataclasses
import pathlib

from keras_fpt import files
from keras_fpt.reports import plots
from keras_fpt.results import conclusion as worth
from keras_fpt.results import not_run, summary
from keras_fpt.results import published_figures as paper_figures
from keras_fpt.results.run_table import load_runs
from keras_fpt.runs import arms
from keras_fpt.studies import rivals as baselines

TABLE_FORMATS = ("md", "csv", "tex")
TITLE = "What the runs found"
_OURS = "fpt"
_CLAIMS = {
    "random": "Pretraining on language helps",
    "statistics": "It is not only the statistics of the pretrained weights",
    "bit": "Language is better to pretrain on than bit memory",
    "vit": "Language is better to pretrain on than images",
    "finetune": "Frozen is better than finetuned",
    "full": "Frozen is better than trained from scratch",
    "lstm": "It is better than an LSTM trained from scratch",
}


@dataclasses.dataclass(frozen=True)
class Claim:
    """A sentence of the paper's or its critics', and what speaks for it.

    Args:
        text: string.
        status: string, `holds`, `does not hold` or `cannot be told`.
        evidence: string, a sentence with the numbers.
    """

    text: str
    status: str
    evidence: str


def report(folders, path, tables=None, title=TITLE, pictures=(), figures=None):
    """Writes a page on all runs in some folders.

    What `compare` and `reproduce` have left there beside runs is on it, too:
    baselines, with a sentence on whether a language model is worth it, and
    what could not be run.

    Args:
        folders: list of paths, see `load_runs`.
        path: where the HTML goes. It has its pictures within it and loads
            nothing.
        tables: folder for the table of arms as Markdown, CSV and LaTeX, or
            `None`.
        title: string.
        pictures: dict from captions to paths of PNG files.
        figures: folder for the page's pictures of each task as SVG, or `None`.

    Returns:
        `pandas.DataFrame`, the table of arms.

    Raises:
        FileNotFoundError: there is no run.
        ValueError: no run has read the test split.
    """
    import jinja2

    runs, found = load_runs(*folders), baselines.read(*folders)
    arms_table = with_paper(with_baselines(summary.summarize(runs), found))
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("keras_fpt.reports", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    template = environment.get_template("page.html.jinja")
    sections = [
        _section(task, runs, arms_table, found)
        for task in dict.fromkeys(arms_table.index.get_level_values("task"))
    ]
    page = template.render(
        title=title,
        counts=runs["status"].value_counts().to_dict(),
        tasks=sections,
        pictures={
            caption: base64.b64encode(pathlib.Path(file).read_bytes()).decode()
            for caption, file in dict(pictures).items()
        },
        not_run=not_run.read(*folders),
        runs=_run_rows(runs),
    )
    files.write_text(pathlib.Path(path), page)
    if tables is not None:
        write_tables(arms_table, tables)
    if figures is not None:
        write_figures(sections, figures)
    return arms_table


def with_paper(table):
    """The table of arms with the paper's test accuracy beside ours.

    Args:
        table: `pandas.DataFrame` of `summarize`.
    """
    figures = [
        None if settings else paper_figures.TEST_ACCURACY.get((task, arm))
        for task, arm, settings in table.index
    ]
    return table.assign(paper_test_accuracy=figures)


def with_baselines(table, found):
    """The table of arms with a row for each baseline.

    Args:
        table: `pandas.DataFrame` of `summarize`.
        found: list of `Baseline`.
    """
    import pandas as pd

    if not found:
        return table
    rows = [
        {
            "task": baseline.task,
            "arm": baseline.name,
            "settings": baseline.settings,
            "n": 1,
            "diverged": 0,
            "train_accuracy": baseline.train_accuracy,
            "validation_accuracy": baseline.validation_accuracy,
            "test_accuracy": baseline.test_accuracy,
            "wall_seconds": baseline.seconds,
        }
        for baseline in found
    ]
    below = pd.DataFrame(rows).set_index(summary.INDEX)
    return pd.concat([table, below.reindex(columns=table.columns)])


def write_tables(table, folder):
    """Writes `arms.md`, `arms.csv` and `arms.tex`."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shown = table.reset_index()
    texts = {
        "md": shown.to_markdown(index=False, floatfmt=".4g") + "\n",
        "csv": shown.to_csv(index=False),
        "tex": shown.rename(columns=lambda c: c.replace("_", " ")).to_latex(
            index=False, float_format="%.4g", escape=True
        ),
    }
    for ending in TABLE_FORMATS:
        files.write_text(folder / f"arms.{ending}", texts[ending])


def write_figures(sections, folder):
    """Writes `<task>-curves.svg`, and `<task>-rates.svg` if there are several.

    Args:
        sections: list of what the page shows of each task.
        folder: path.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for section in sections:
        for name in ("curves", "rates"):
            if section[name]:
                path = folder / f"{section['name']}-{name}.svg"
                files.write_text(path, section[name])


def claims(runs):
    """What one task's final runs say of the paper's claims.

    Args:
        runs: `pandas.DataFrame` of `load_runs`.

    Returns:
        List of `Claim`, for arms that have finished runs beside `fpt`'s with
        the same settings.
    """
    finished = runs[runs["final"] & (runs["status"] == "finished")]
    found = []
    for settings, group in finished.groupby("settings", sort=False):
        accuracies = {
            arm: rows["test_accuracy"].to_list()
            for arm, rows in group.groupby("arm")
        }
        ours = accuracies.get(_OURS)
        found += [
            Claim(
                f"{text} ({settings})" if settings else text,
                summary.status(ours, accuracies[arm]),
                summary.verdict(_OURS, ours, arm, accuracies[arm]),
            )
            for arm, text in _CLAIMS.items()
            if ours is not None and arm in accuracies
        ]
    return found


def _section(task, runs, arms_table, found):
    own = runs[runs["task"] == task]
    has_rates = own["learning_rate"].nunique() > 1
    found = [baseline for baseline in found if baseline.task == task]
    return {
        "name": task,
        "conclusion": worth.conclusion(own, found) if found else None,
        "rows": [
            {"arm": arm, "description": _description(arm, settings), **row}
            for (name, arm, settings), row in arms_table.iterrows()
            if name == task
        ],
        "majority": own["test_majority_accuracy"].dropna().max(),
        "claims": claims(own),
        "curves": plots.learning_curves(
            own[own["final"]], f"{task}: runs at the best settings"
        ),
        "rates": plots.learning_rate_sensitivity(own, f"{task}: all runs")
        if has_rates
        else None,
        "by_rate": _by_rate(own) if has_rates else None,
    }


def _by_rate(runs):
    """What the page's table of learning rates shows.

    Returns:
        Dict of the `arms`; `rows`, a learning rate and the accuracies there;
        `best`, an accuracy for each arm; `at_edge`, the arms whose best rate
        is the lowest or the highest of theirs.
    """
    table = summary.by_learning_rate(runs)
    tried = {arm: table[arm].dropna() for arm in table}
    return {
        "arms": list(table),
        "rows": [(rate, row.to_list()) for rate, row in table.iterrows()],
        "best": table.max().to_list(),
        "at_edge": [
            arm
            for arm, column in tried.items()
            if len(column) > 1 and not (column.iloc[1:-1] == column.max()).any()
        ],
    }


def _description(arm, settings):
    if arm in baselines.DESCRIPTIONS:
        description = baselines.DESCRIPTIONS[arm]
    else:
        description = arms.get(arm).description
    return f"{description}; {settings}" if settings else description


def _run_rows(runs):
    names = ["folder", "task", "arm", "settings", "learning_rate", "seed"]
    names += ["steps", "backend", "status"]
    names += ["validation_accuracy", "test_accuracy"]
    return runs.reindex(columns=names).to_dict("records")
