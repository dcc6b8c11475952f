"""The tables of the HTML page, as columns of text."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from keras_fpt.results import Claim
from keras_fpt.runs import measures

Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        head: string.
        cells: list of strings, which the page escapes unless they are
            `Markup`. An empty one is a missing value.
        kind: string: `"number"` is aligned at the right, `"text"` at the left,
            `"words"` is a text that may be broken between words, and
            `"sentence"` a longer one.
    """

    head: str
    cells: Sequence[str]
    kind: str = "number"

    @property
    def css_class(self) -> str:
        """The class of its cells in the page, or an empty string."""
        plain = {"number": "", "text": "text"}
        return plain.get(self.kind, f"text {self.kind}")


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of the page.

    Args:
        name: string, what it shows, for those who cannot see it.
        columns: list of `Column`.
    """

    name: str
    columns: Sequence[Column]

    @property
    def rows(self) -> Iterator[list[tuple[Column, str]]]:
        """Each row as pairs of a column and the text of its cell."""
        cells = [
            [(column, cell) for cell in column.cells] for column in self.columns
        ]
        return map(list, zip(*cells, strict=True))


def _filled(columns: Sequence[Column]) -> list[Column]:
    """The columns that have a value."""
    return [column for column in columns if any(column.cells)]


def is_missing(value: Any) -> bool:
    """Whether a value is `None` or NaN."""
    return value is None or value != value


def number(value: Any, form: str) -> str:
    """A number in a format such as `".4g"`; empty if it is missing."""
    return "" if is_missing(value) else f"{value:{form}}"


def percent(value: Any) -> str:
    """A share in percent, without the sign; empty if it is missing."""
    return "" if is_missing(value) else f"{100 * value:.2f}"


def shown(value: Any, measure: measures.Measure) -> str:
    """The value of a measure without a unit; empty if it is missing."""
    return "" if is_missing(value) else measure.number(value, 2)


def arms(rows: Sequence[Row], measure: measures.Measure) -> Table:
    """The results of each arm.

    Args:
        rows: list of dicts, the rows of `keras_fpt.results.summarize` with
            `arm`, `description` and the columns of `arms_table`.
        measure: the measure of the task.
    """

    def mean(split: str) -> Callable[[Row], str]:
        name = f"{split}_{measure.name}"

        def cell(row: Row) -> str:
            interval = shown(row[f"{name}_interval"], measure)
            value = shown(row[name], measure)
            return value + (f" ± {interval}" if interval else "")

        return cell

    def optional(name: str, form: str) -> Callable[[Row], str]:
        return lambda row: number(row.get(name), form)

    def paper(row: Row) -> str:
        value = percent(row.get("paper_test_accuracy"))
        return value + (f" ({row['paper_source']})" if value else "")

    def rate(row: Row) -> str:
        edge = row["edge"]
        tried = f" ({edge} tried)" if isinstance(edge, str) and edge else ""
        return number(row["learning_rate"], "g") + tried

    def learned(row: Row) -> str:
        if is_missing(row["learned"]):
            return ""
        return "yes" if row["learned"] else "not shown"

    def column(
        head: str, cell: Callable[[Row], str], kind: str = "number"
    ) -> Column:
        return Column(head, [cell(row) for row in rows], kind)

    return Table(
        "Results of each arm",
        _filled(
            [
                column("arm", lambda row: row["arm"], "text"),
                column("weights", lambda row: row["description"], "words"),
                column(
                    f"test {measure.title}" if measure.is_error else "test",
                    mean("test"),
                ),
                column("test MAE", optional("test_mae", ".3g")),
                column("test R2", optional("test_r2", ".4f")),
                column("test AUROC", optional("test_auroc", ".3f")),
                column("paper's test", paper),
                column(
                    "Rothermel et al.'s test",
                    lambda row: percent(row.get("rothermel_test_accuracy")),
                ),
                column("validation", mean("validation")),
                column("train", mean("train")),
                column("runs", lambda row: number(row["n"], ".0f")),
                column(
                    "diverged",
                    lambda row: number(row["diverged"] or None, ".0f"),
                ),
                column("best learning rate", rate),
                column(
                    "better than all simple rules"
                    if measure.is_error
                    else "above all simple rules",
                    learned,
                    "text",
                ),
                column(
                    "steps to converge",
                    lambda row: number(row["steps_to_converge"], ""),
                ),
                column(
                    "area under curve",
                    lambda row: shown(row["area_under_curve"], measure),
                ),
                column(
                    "seconds", lambda row: number(row["wall_seconds"], ".0f")
                ),
                column(
                    "trained weights",
                    lambda row: number(row["trainable_parameters"], ",.0f"),
                ),
            ]
        ),
    )


def claims(judged: Sequence[Claim]) -> Table:
    """Claims and whether they hold.

    Args:
        judged: list of `Claim`.
    """

    def status(claim: Claim) -> str:
        kind = claim.status.split(":")[0].replace(" ", "-")
        return Markup('<strong class="{}">{}</strong>').format(
            kind, claim.status
        )

    def difference(claim: Claim, name: str) -> str:
        found = claim.difference
        return shown(getattr(found, name), found.measure)

    def interval(claim: Claim) -> str:
        low, high = difference(claim, "low"), difference(claim, "high")
        return f"{low} to {high}" if low else ""

    return Table(
        "Claims",
        [
            Column("claim", [claim.text for claim in judged], "words"),
            Column("verdict", [status(claim) for claim in judged], "words"),
            Column(
                "difference",
                [difference(claim, "gain") for claim in judged],
            ),
            Column("95% interval", [interval(claim) for claim in judged]),
            Column(
                "p",
                [number(claim.difference.p_value, ".2g") for claim in judged],
            ),
            Column(
                "p, adjusted",
                [number(claim.adjusted_p_value, ".2g") for claim in judged],
            ),
            Column(
                "evidence", [claim.evidence for claim in judged], "sentence"
            ),
        ],
    )


def quantiles(rows: Sequence[Row]) -> Table | None:
    """How well predicted quantiles fit the test split.

    Args:
        rows: list of dicts, of `load_runs`.

    Returns:
        `Table` of the runs that predict any; `None` if none does.
    """
    rows = [row for row in rows if not is_missing(row.get("test_pinball"))]
    if not rows:
        return None
    return Table(
        "Predicted quantiles",
        [
            Column("run", [str(row["folder"]) for row in rows], "text"),
            Column("arm", [row["arm"] for row in rows], "text"),
            Column(
                "quantiles", [str(row["quantiles"]) for row in rows], "text"
            ),
            Column(
                "test pinball loss",
                [number(row["test_pinball"], ".4g") for row in rows],
            ),
            *_filled(
                [
                    Column(
                        "within the outer quantiles, %",
                        [percent(row.get("test_coverage")) for row in rows],
                    ),
                    Column(
                        "nominal, %",
                        [
                            percent(row.get("test_nominal_coverage"))
                            for row in rows
                        ],
                    ),
                ]
            ),
        ],
    )


def by_rate(
    names: Sequence[str],
    rows: Sequence[tuple[float, list]],
    measure: measures.Measure,
) -> Table:
    """The results of each arm at each learning rate; the best is bold.

    Args:
        names: list of strings, the arms.
        rows: list of tuples, a learning rate and what the arms reached there.
        measure: the measure of the task.
    """

    def cells(values: Sequence[float]) -> list[str]:
        known = [each for each in values if not is_missing(each)]
        best = max(known, key=measure.oriented, default=None)
        return [
            Markup("<strong>{}</strong>").format(shown(each, measure))
            if each == best
            else shown(each, measure)
            for each in values
        ]

    rates = [f"{rate:g}" for rate, _ in rows]
    by_arm = zip(*(values for _, values in rows), strict=True)
    return Table(
        f"Validation {measure.title} at one learning rate for all arms",
        [
            Column("one learning rate for all", rates),
            *(
                Column(name, cells(values))
                for name, values in zip(names, by_arm, strict=True)
            ),
        ],
    )


def by_class(classes: Mapping[str, Sequence]) -> Table:
    """Precision, recall and F1 of each class, or of each of several labels.

    Args:
        classes: dict, `test_classes` in a run's `metrics.json`.
    """
    areas = classes.get("auroc")
    what = "class" if areas is None else "label"
    columns = [
        Column(what, [str(name) for name in classes["names"]], "text"),
        Column("precision", [*map(percent, classes["precision"])]),
        Column("recall", [*map(percent, classes["recall"])]),
        Column("F1", [*map(percent, classes["f1"])]),
        Column("examples", [f"{count:,}" for count in classes["examples"]]),
    ]
    if areas is not None:
        shown = ["" if area is None else f"{area:.3f}" for area in areas]
        columns.insert(-1, Column("AUROC", shown))
    return Table(f"Results by {what}", columns)


def mistakes(entries: Sequence[Row], names: Sequence[str]) -> Table:
    """The wrong predictions of the highest probability.

    Args:
        entries: list of dicts, `test_mistakes` in a run's `metrics.json`.
        names: list of strings, the classes' names.
    """
    return Table(
        "Most confident mistakes",
        [
            Column("test example", [str(e["place"] + 1) for e in entries]),
            Column("class", [str(names[e["label"]]) for e in entries], "text"),
            Column(
                "answer", [str(names[e["answer"]]) for e in entries], "text"
            ),
            Column("probability", [percent(e["probability"]) for e in entries]),
        ],
    )


def all_runs(rows: Sequence[Row]) -> Table:
    """Each run, its folder and its results.

    Args:
        rows: list of dicts, of `keras_fpt.results.load_runs`.
    """

    def result(row: Row, split: str) -> str:
        accuracy = percent(row[f"{split}_accuracy"])
        return accuracy or measures.in_words(row, split)

    def text(head: str, kind: str = "text") -> Column:
        cells = ["" if is_missing(row[head]) else row[head] for row in rows]
        return Column(head, cells, kind)

    return Table(
        "All runs",
        _filled(
            [
                text("folder", "words"),
                text("task"),
                text("arm"),
                text("settings", "words"),
                Column(
                    "learning rate",
                    [number(row["learning_rate"], "g") for row in rows],
                ),
                Column("seed", [number(row["seed"], ".0f") for row in rows]),
                Column("steps", [number(row["steps"], ",.0f") for row in rows]),
                text("backend"),
                text("status"),
                Column(
                    "validation",
                    [result(row, "validation") for row in rows],
                ),
                Column("test", [result(row, "test") for row in rows]),
            ]
        ),
    )
