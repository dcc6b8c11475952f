"""Rows of `accelerator.py` as lines of a log and as tables in Markdown."""

import itertools
import statistics

STEP_COLUMNS = [
    *("tokens", "batch size", "system", "backend", "ms/step (quartiles)"),
    *("examples/s", "tokens/s", "throughput / reference"),
    *("throughput / plain Keras", "of product peak", "peak GiB"),
    "first step, s",
]
FEATURE_COLUMNS = [
    *("backend", "precision", "epoch with all computation"),
    *("computing the features once, with compilation", "epoch on features"),
    "ratio of the epochs",
]
RUN_COLUMNS = [
    *("backend", "precision", "runs", "trained", "steps per run"),
    *("seconds in all", "of them before the second step"),
    *("ms per step and run", "one by one / this, in all", "the steps alone"),
]
TRAINED = {"runs": "one by one", "stack": "in one step"}


def line(row):
    """One line that tells of a row."""
    cell, error = row["cell"], row.get("error")
    words = [cell["system"], cell["backend"], cell["precision"]]
    if cell["kind"] == "step":
        words += [f"{cell['model']}-{cell['tokens']} b{cell['batch_size']}"]
        words += [f"dropout {cell['dropout']}"]
    elif cell["kind"] in TRAINED:
        words += [f"{cell['runs']} runs of {cell['model']}"]
        words += [TRAINED[cell["kind"]]]
    else:
        words += [cell["kind"]]
    if error:
        return " ".join([*words, "->", error])
    numbers = (
        f"{name}={value:.4g}"
        for name, value in row.items()
        if isinstance(value, float)
    )
    return " ".join([*words, "->", *numbers])


def tables(rows):
    """All rows as Markdown."""
    parts = [machine(rows)]
    steps = [row for row in rows if row["cell"]["kind"] == "step"]
    steps.sort(key=_group)
    for group, members in itertools.groupby(steps, key=_group):
        parts.append(step_table(group, list(members), steps))
    found = [row for row in rows if row["cell"]["kind"] == "features"]
    if found:
        body = _markdown(FEATURE_COLUMNS, [feature_cells(row) for row in found])
        parts.append(f"### Cached features\n\n{body}")
    found = [row for row in rows if row["cell"]["kind"] in TRAINED]
    if found:
        body = _markdown(RUN_COLUMNS, [run_cells(row, found) for row in found])
        parts.append(f"### Runs of `gpt2_tiny_en`\n\n{body}")
    return "\n\n".join(parts)


def machine(rows):
    """A sentence with the devices, and the backends' versions and flags."""
    found = {
        f"{row['cell']['backend']} {row['version']} on {row['device']}"
        + (f" (`XLA_FLAGS={row['flags']}`)" if row["flags"] else "")
        for row in rows
        if "device" in row
    }
    return f"Measured with {', '.join(sorted(found)) or 'nothing'}."


def _group(row):
    cell = row["cell"]
    return cell["model"], cell["precision"], -cell["dropout"]


def step_table(group, rows, every):
    """The table of the steps of one model, precision and dropout.

    Args:
        group: tuple of these three, the last one negative.
        rows: list of the rows of the group.
        every: list of the rows of all steps, for the peak of a product.
    """
    model, precision, dropout = group
    peaks = {}
    for row in every:
        cell = row["cell"]
        if cell["precision"] == precision and "peak_flops" in row:
            peaks.setdefault(cell["backend"], []).append(row["peak_flops"])
    told = ", ".join(
        f"{statistics.median(values) / 1e12:.3g} TFLOP/s with {backend}"
        for backend, values in sorted(peaks.items())
    )
    order = {"reference": 0, "plain_keras": 1, "keras_fpt": 2}
    rows = sorted(
        rows,
        key=lambda row: (
            row["cell"]["tokens"],
            row["cell"]["batch_size"],
            row["cell"]["backend"] != "torch",
            row["cell"]["backend"],
            order[row["cell"]["system"]],
        ),
    )
    body = _markdown(STEP_COLUMNS, [step_cells(row, rows) for row in rows])
    return (
        f"### {model}, {precision}, dropout {-dropout:g}\n\n"
        f"Product peak: {told or 'not measured'}.\n\n{body}"
    )


def step_cells(row, rows):
    """The cells of a row of a step, with ratios to other rows."""
    cell = row["cell"]
    names = [f"`{cell['system']}`", cell["backend"]]
    start = [str(cell["tokens"]), str(cell["batch_size"]), *names]
    if "error" in row:
        empty = len(STEP_COLUMNS) - len(start) - 1
        return [*start, row["error"], *[""] * empty]

    def ratio(**other):
        sought = {**cell, **other}
        for found in rows:
            if found["cell"] == sought and "error" not in found:
                value = found["step_seconds"] / row["step_seconds"]
                return f"{value:.2f}"
        return ""

    step, memory = row["step_seconds"], row["gibibytes"]
    lower, upper = row["quartiles"]
    return [
        *start,
        f"{1e3 * step:.3g} ({1e3 * lower:.3g}-{1e3 * upper:.3g})",
        f"{row['examples_per_second']:,.0f}",
        f"{row['tokens_per_second']:,.0f}",
        ratio(system="reference", backend="torch"),
        ratio(system="plain_keras"),
        f"{100 * row['share']:.1f} %",
        "" if memory is None else f"{memory:.2f}",
        f"{row['first_seconds']:.1f}",
    ]


def feature_cells(row):
    names = [row["cell"]["backend"], row["cell"]["precision"]]
    if "error" in row:
        return [*names, row["error"], "", "", ""]
    each, cached = row["epoch_seconds"], row["cached_epoch_seconds"]
    seconds = [each, row["once_seconds"], cached]
    return [*names, *(f"{s:.3g} s" for s in seconds), f"{each / cached:.1f}"]


def run_cells(row, rows):
    """The cells of a row of runs, with ratios to the same runs one by one.

    Where as many were not trained one by one, the time of each run of the most
    that were counts.
    """
    cell = row["cell"]
    start = [cell["backend"], cell["precision"], str(cell["runs"])]
    start += [TRAINED[cell["kind"]]]
    if "error" in row:
        empty = len(RUN_COLUMNS) - len(start) - 1
        return [*start, row["error"], *[""] * empty]
    alone = [
        other
        for other in rows
        if other["cell"] == {**other["cell"], **_as_alone(cell)}
        and other.get("steps_per_run") == row["steps_per_run"]
        and other["cell"]["runs"] <= cell["runs"]
    ]
    most = max(alone, key=lambda other: other["cell"]["runs"], default=None)

    def ratio(name):
        if most is None:
            return ""
        each = most[name] / most["cell"]["runs"]
        return f"{each / (row[name] / cell['runs']):.2f}"

    steps = cell["runs"] * row["steps_per_run"]
    return [
        *start,
        str(row["steps_per_run"]),
        f"{row['seconds']:.1f}",
        f"{row['ready_seconds']:.1f}",
        f"{1e3 * row['training_seconds'] / steps:.2f}",
        ratio("seconds"),
        ratio("training_seconds"),
    ]


def _as_alone(cell):
    """What a cell and that of the same runs one by one have in common."""
    names = ("system", "backend", "precision", "model")
    return {"kind": "runs", **{name: cell[name] for name in names}}


def _markdown(columns, rows):
    ruler = ["---"] * len(columns)
    return "\n".join(
        f"| {' | '.join(cells)} |" for cells in [columns, ruler, *rows]
    )
