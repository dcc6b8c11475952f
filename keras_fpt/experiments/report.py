"""What runs have found, as one page that stands alone, and as tables."""

import dataclasses
import pathlib

from keras_fpt.experiments import (
    arms,
    paper_figures,
    plots,
    run_folder,
    summary,
)
from keras_fpt.experiments.run_table import load_runs

TABLE_FORMATS = ("md", "csv", "tex")
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


def report(folders, path, tables=None):
    """Writes a page on all runs in some folders.

    Args:
        folders: list of paths, see `load_runs`.
        path: where the HTML goes. It has its pictures within it and loads
            nothing.
        tables: folder for the table of arms as Markdown, CSV and LaTeX, or
            `None`.

    Returns:
        `pandas.DataFrame`, the table of arms.

    Raises:
        FileNotFoundError: there is no run.
        ValueError: no run has read the test split.
    """
    import jinja2

    runs = load_runs(*folders)
    arms_table = with_paper(summary.summarize(runs))
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("keras_fpt.experiments", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    template = environment.get_template("report.html.jinja")
    page = template.render(
        counts=runs["status"].value_counts().to_dict(),
        tasks=[_section(task, runs, arms_table) for task in _tasks(arms_table)],
        runs=_run_rows(runs),
    )
    run_folder.write_text(pathlib.Path(path), page)
    if tables is not None:
        write_tables(arms_table, tables)
    return arms_table


def with_paper(table):
    """The table of arms with the paper's test accuracy beside ours.

    Args:
        table: `pandas.DataFrame` of `summarize`.
    """
    figures = [paper_figures.TEST_ACCURACY.get(key) for key in table.index]
    return table.assign(paper_test_accuracy=figures)


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
        run_folder.write_text(folder / f"arms.{ending}", texts[ending])


def claims(runs):
    """What one task's final runs say of the paper's claims.

    Args:
        runs: `pandas.DataFrame` of `load_runs`.

    Returns:
        List of `Claim`, for arms that have finished runs beside `fpt`'s.
    """
    finished = runs[runs["final"] & (runs["status"] == "finished")]
    accuracies = {
        arm: group["test_accuracy"].to_list()
        for arm, group in finished.groupby("arm")
    }
    if _OURS not in accuracies:
        return []
    ours = accuracies[_OURS]
    return [
        Claim(
            text,
            summary.status(ours, accuracies[arm]),
            summary.verdict(_OURS, ours, arm, accuracies[arm]),
        )
        for arm, text in _CLAIMS.items()
        if arm in accuracies
    ]


def _tasks(table):
    return list(dict.fromkeys(table.index.get_level_values("task")))


def _section(task, runs, arms_table):
    own = runs[runs["task"] == task]
    rates = own["learning_rate"].nunique()
    return {
        "name": task,
        "rows": [
            {
                "arm": arm,
                "description": arms.get(arm).description,
                **row,
            }
            for (name, arm), row in arms_table.iterrows()
            if name == task
        ],
        "majority": own["test_majority_accuracy"].dropna().max(),
        "claims": claims(own),
        "curves": plots.learning_curves(
            own[own["final"]], f"{task}: runs at the best settings"
        ),
        "sensitivity": plots.learning_rate_sensitivity(own, f"{task}: all runs")
        if rates > 1
        else None,
    }


def _run_rows(runs):
    names = ["folder", "task", "arm", "learning_rate", "seed", "steps"]
    names += ["backend", "status", "validation_accuracy", "test_accuracy"]
    return runs.reindex(columns=names).to_dict("records")
