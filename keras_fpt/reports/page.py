"""A self-contained HTML page on runs, with its tables and plots."""

import base64
import functools
import hashlib
import logging
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keras_fpt import files
from keras_fpt.files import Output, spreadsheets
from keras_fpt.reports import class_plots, forecast_plots, page_tables, plots
from keras_fpt.results import (
    Baseline,
    Claim,
    arms_table,
    baselines,
    by_learning_rate,
    claims,
    conclude,
    load_runs,
    not_run,
    run_folders,
    summarize,
)
from keras_fpt.runs import arms, measures

Path = str | os.PathLike[str]
LOGGER = logging.getLogger(__name__)

# The beginnings of the files, which mark them as written by keras-fpt.
_HTML_MARK = rb"<title>keras-fpt: "
TABLE_MARKS = {
    "arms.md": rb"\A\| task +\| arm +\| settings +\| +n \|",
    "arms.csv": rb"\Atask,arm,settings,n,diverged,",
    "arms.tex": (
        rb"\A\\begin\{tabular\}.*\s+\\toprule\s+task & arm & settings & n &"
    ),
    "claims.csv": rb"\Atask,claim,above,below,status,",
}
# Metrics over all classes, and their names on the page.
_BY_CLASS = {
    "balanced_accuracy": "balanced accuracy",
    "exact_match": "exact match",
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "auroc": "AUROC",
    "calibration_error": "calibration error",
    "scaled_calibration_error": "calibration error after temperature scaling",
}
TITLE = "Results of the runs"
# The anchors of the page's own parts, which no task has.
_ANCHORS = (
    *("contents", "pictures", "not-run", "how-to-read"),
    *("all-runs", "tip"),
)
_HERE = pathlib.Path(__file__).parent


def write_report(
    folders: Sequence[Path],
    path: Path,
    tables: Path | None = None,
    title: str = TITLE,
    pictures: Mapping[str, Path] | None = None,
    figures: Path | None = None,
    overwrite: bool = False,
) -> Any:
    """Writes an HTML page on all runs in some folders.

    The page also shows what `compare` and `reproduce` have saved with runs:
    baselines, with a sentence on whether a language model is worth it, and
    what could not be run.

    Args:
        folders: list of paths, see `load_runs`.
        path: the HTML file to write. Its pictures are embedded; it loads
            no other files.
        tables: folder for the table of arms as Markdown, CSV and LaTeX, or
            `None`.
        title: string.
        pictures: dict from captions to paths of PNG files, or `None`.
        figures: folder for the page's pictures of each task as SVG, or `None`.
        overwrite: bool, whether existing files that keras-fpt did not write
            may be replaced.

    Returns:
        `pandas.DataFrame`, the table of arms.

    Raises:
        FileExistsError: a file exists that may not be replaced.
        FileNotFoundError: the folders contain no run.
        ValueError: no run has read the test split.
    """
    import jinja2

    inputs = run_folders(*folders)
    output = functools.partial(Output, inputs=inputs, overwrite=overwrite)
    html = output(path, _HTML_MARK)
    table_files = {} if tables is None else _table_files(tables, output)
    for file in (html, *table_files.values()):
        file.check()
    runs, fitted = load_runs(*folders), baselines.read(*folders)
    table = summarize(runs)
    table = arms_table.with_floors(table, runs)
    table = arms_table.with_baselines(table, fitted)
    table = arms_table.with_paper(table)
    judged = claims(runs)
    repeats = _repeats(runs)
    if repeats:
        LOGGER.info(
            f"Not counted, since a seed counts once: {'; '.join(repeats)}."
        )
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("keras_fpt.reports", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    template = environment.get_template("page.html.jinja")
    sections = [
        _section(task, runs, table, fitted, judged)
        for task in dict.fromkeys(table.index.get_level_values("task"))
    ]
    names = _safe_names([section["name"] for section in sections], _ANCHORS)
    for section, anchor in zip(sections, names, strict=True):
        section["anchor"] = anchor
    pages = {} if figures is None else _figure_files(sections, figures, output)
    for file in pages.values():
        file.check()
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    page = template.render(
        title=title,
        style=(_HERE / "page.css").read_text(encoding="utf-8"),
        script=script,
        policy=_policy(script),
        counts=runs["status"].value_counts().to_dict(),
        tasks=sections,
        pictures={
            caption: base64.b64encode(pathlib.Path(file).read_bytes()).decode()
            for caption, file in (pictures or {}).items()
        },
        not_run=not_run.read(*folders),
        runs=page_tables.all_runs(_run_rows(runs)),
        repeats=repeats,
    )
    html.write(page)
    if table_files:
        texts = table_texts(table) | {"claims.csv": claims_csv(judged)}
        for name, file in table_files.items():
            file.write(texts[name])
    for (index, name), file in pages.items():
        file.write(sections[index][name])
    return table


def _policy(script: str) -> str:
    """A content security policy: only this script, and no request."""
    digest = hashlib.sha256(script.encode()).digest()
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        "img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{base64.b64encode(digest).decode()}'"
    )


def _safe_names(names: Sequence[str], used: Sequence[str] = ()) -> list[str]:
    """Names for files and anchors, each of which differs from all others."""
    found: list[str] = []
    for index, name in enumerate(map(files.safe_name, names)):
        while name in (*found, *used):  # Others have been replaced in it.
            name = f"{name}-{index + 1}"
        found.append(name)
    return found


def table_texts(table: Any) -> dict[str, str]:
    """The table of arms as Markdown, CSV and LaTeX, by the files' names.

    No cell is a formula in a spreadsheet, or markup in Markdown or LaTeX.

    Args:
        table: `pandas.DataFrame`, the table of arms.
    """
    shown = table.reset_index()
    words = ("task", "arm", "settings")

    def with_words(change: Callable[[str], str]) -> Any:
        return shown.assign(**{name: shown[name].map(change) for name in words})

    return {
        "arms.md": with_words(spreadsheets.escape_markdown).to_markdown(
            index=False,
            floatfmt=".4g",
            # A task named 007 is not the number 7. Without rows, tabulate
            # finds no columns.
            disable_numparse=list(range(len(words))) if len(shown) else True,
        )
        + "\n",
        "arms.csv": with_words(spreadsheets.escape_formula).to_csv(index=False),
        "arms.tex": shown.rename(
            columns=lambda c: c.replace("_", " ")
        ).to_latex(index=False, float_format="%.4g", escape=True),
    }


def claims_csv(judged: Sequence[Claim]) -> str:
    """Claims as CSV, with raw and adjusted p-values side by side.

    Args:
        judged: list of `Claim`.
    """
    import pandas as pd

    columns = "task,claim,above,below,status,difference,low,high,p_value,"
    columns += "adjusted_p_value,interval_covers,paired"
    rows = [
        (
            *map(
                spreadsheets.escape_formula,
                (claim.task, claim.text, claim.ours, claim.theirs),
            ),
            claim.status,
            claim.difference.gain,
            claim.difference.low,
            claim.difference.high,
            claim.difference.p_value,
            claim.adjusted_p_value,
            claim.difference.covers,
            claim.difference.is_paired,
        )
        for claim in judged
    ]
    frame = pd.DataFrame(rows, columns=columns.split(","))
    return frame.to_csv(index=False)


def _table_files(
    folder: Path, output: Callable[[Path, bytes], Output]
) -> dict[str, Output]:
    """Makes a folder; returns the files of its tables, by their names."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return {
        name: output(folder / name, mark) for name, mark in TABLE_MARKS.items()
    }


def _figure_files(
    sections: Sequence[Mapping[str, Any]],
    folder: Path,
    output: Callable[[Path, bytes], Output],
) -> dict[tuple[int, str], Output]:
    """Makes a folder; returns its files, by their section and figure.

    They are `<task>-curves.svg`, and for several rates `<task>-rates.svg`.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[tuple[int, str], Output] = {}
    names = _safe_names([section["name"] for section in sections])
    for index, (section, name) in enumerate(zip(sections, names, strict=True)):
        for figure in ("curves", "rates"):
            if section[figure]:
                path = folder / f"{name}-{figure}.svg"
                found[index, figure] = output(path, plots.MARK)
    return found


def _section(
    task: str,
    runs: Any,
    table: Any,
    fitted: Sequence[Baseline],
    judged: Sequence[Claim],
) -> dict[str, Any]:
    """The section of the page on one task."""
    task_runs = runs[runs["task"] == task]
    task_runs = task_runs[~task_runs["repeats"]]
    final = task_runs[task_runs["final"]]
    has_rates = task_runs["learning_rate"].nunique() > 1
    fitted = [baseline for baseline in fitted if baseline.task == task]
    own_claims = [claim for claim in judged if claim.task == task]
    return {
        "name": task,
        "measure": measures.of_runs(final),
        "conclusion": conclude(task_runs, fitted) if fitted else None,
        "arms": page_tables.arms(
            [
                {"arm": arm, "description": _description(arm, settings), **row}
                for (name, arm, settings), row in table.iterrows()
                if name == task
            ],
            measures.of_runs(final),
        ),
        "claims": page_tables.claims(own_claims) if own_claims else None,
        "curves": plots.learning_curves(
            final, f"{task}: runs at the best settings"
        )
        if (final["status"] == "finished").any()
        else None,
        "rates": plots.learning_rate_sensitivity(task_runs, f"{task}: all runs")
        if has_rates
        else None,
        "by_rate": _by_rate(task_runs) if has_rates else None,
        "by_class": _by_class(final),
        "quantiles": page_tables.quantiles(final.to_dict("records")),
        "forecasts": forecast_plots.of_runs(final),
    }


def _by_class(final: Any) -> dict[str, Any] | None:
    """The page's results by class, for the best run on validation.

    Args:
        final: `pandas.DataFrame` of `load_runs`, the final runs of one task.
    """
    if "test_classes" not in final:
        return None
    known = final[final["test_classes"].map(lambda x: isinstance(x, dict))]
    if known.empty:
        return None
    run = known.loc[known["validation_accuracy"].idxmax()]
    classes = run["test_classes"]
    title = f"{run['task']}, {run['arm']}: test"
    curve = run.get("test_calibration")
    plotted = [
        class_plots.confusion_matrix(classes, f"{title}, confusions")
        if "confusion" in classes
        else None,
        class_plots.roc_curves(classes, f"{title}, ROC"),
    ]
    if isinstance(curve, dict):
        plotted.append(class_plots.calibration(curve, f"{title}, calibration"))
    mistakes = run.get("test_mistakes")
    return {
        "run": run["folder"],
        "classes": page_tables.by_class(classes),
        "pictures": [picture for picture in plotted if picture],
        "summary": {
            words: value
            for name, words in _BY_CLASS.items()
            # Not NaN, of one that another run has and this run lacks.
            if isinstance(value := run.get(f"test_{name}"), float)
            and not page_tables.is_missing(value)
        },
        "mistakes": page_tables.mistakes(mistakes, classes["names"])
        if isinstance(mistakes, list) and mistakes
        else None,
    }


def _by_rate(runs: Any) -> page_tables.Table:
    """The page's table of learning rates."""
    table = by_learning_rate(runs)
    rows = [(rate, row.to_list()) for rate, row in table.iterrows()]
    return page_tables.by_rate(list(table), rows, measures.of_runs(runs))


def _description(arm: str, settings: str) -> str:
    if settings == arms_table.SIMPLE_RULE:
        return settings
    if arm in baselines.DESCRIPTIONS:
        description = baselines.DESCRIPTIONS[arm]
    else:
        description = arms.get(arm).description
    return f"{description}; {settings}" if settings else description


def _repeats(runs: Any) -> list[str]:
    """Sentences on runs that repeat others, and so are not counted."""
    once = runs[~runs["repeats"]]
    sentences = []
    for row in runs[runs["repeats"]].to_dict("records"):
        is_same = (once["group"] == row["group"]) & (
            once["seed"] == row["seed"]
        )
        first = once[is_same & (once["final"] == row["final"])].iloc[0]
        sentences.append(
            f"{row['folder']} has the configuration, data and seed of "
            f"{first['folder']}"
        )
    return sentences


def _run_rows(runs: Any) -> list[dict[str, Any]]:
    names = ["folder", "task", "arm", "settings", "learning_rate", "seed"]
    names += ["steps", "backend", "status"]
    names += [
        f"{split}_{name}"
        for name in measures.BY_NAME
        for split in ("validation", "test")
    ]
    if "trained_steps" in runs:
        steps = runs["trained_steps"].fillna(runs["steps"])
        runs = runs.assign(steps=steps)
    return runs.reindex(columns=names).to_dict("records")
