"""The benchmark for accelerators: what it measures, resumes and prints."""

import dataclasses
import pathlib
import time

import keras
import pytest

BENCHMARKS = pathlib.Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def accelerator(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import accelerator

    return accelerator


def row(cell, **values):
    measured = {
        "step_seconds": 0.5,
        "quartiles": [0.4, 0.6],
        "first_seconds": 2.0,
        "examples_per_second": 2.0 * cell.batch_size,
        "tokens_per_second": 2.0 * cell.batch_size * cell.tokens,
        "share": 0.25,
        "peak_flops": 1e12,
        "gibibytes": 3.0,
        "device": "card",
        "version": "1.0",
        "flags": "--fast" if cell.backend == "jax" else "",
    }
    values = values if "error" in values else measured | values
    return {"cell": dataclasses.asdict(cell), **values}


@pytest.mark.backend_free
def test_the_plan_has_each_cell_once_and_the_main_ones_first(accelerator):
    cells = accelerator.plan(["torch", "jax"])
    assert len(cells) == len(set(cells))
    kinds = {"step", "features", "runs", "stack"}
    assert {cell.kind for cell in cells} == kinds
    first = [(cell.backend, cell.kind, cell.runs) for cell in cells[:10]]
    assert first == [
        (backend, *rest)
        for backend in ("torch", "jax")
        for rest in (
            *(("runs", 1), ("runs", 8)),
            *(("stack", 1), ("stack", 8), ("stack", 32)),
        )
    ]
    first = {(cell.model, cell.tokens) for cell in cells[10:25]}
    assert first == {("base", 64), ("base", 512), ("base", 1024)}
    references = [cell for cell in cells if cell.system == "reference"]
    assert {cell.backend for cell in references} == {"torch"}
    steps = [cell for cell in cells if cell.kind == "step"]
    assert {cell.batch_size for cell in steps} == {16, 64, 128, 256, 512}
    assert {cell.precision for cell in steps} == {"bfloat16", "float32", "tf32"}


@pytest.mark.backend_free
def test_resuming_measures_what_has_no_row_or_another_error(accelerator):
    cells = accelerator.plan(["jax"])[:4]
    rows = [
        row(cells[0]),
        row(cells[1], error=accelerator.OUT_OF_MEMORY),
        row(cells[2], error="exit status -9: "),
    ]
    assert accelerator.remaining(cells, rows) == cells[2:]


@pytest.mark.backend_free
def test_a_larger_batch_than_one_too_large_is_not_tried(accelerator):
    small = accelerator.Cell("step", "keras_fpt", "jax", "float32")
    large = dataclasses.replace(small, batch_size=2 * small.batch_size)
    other = dataclasses.replace(large, precision="tf32")
    rows = [row(small, error=accelerator.OUT_OF_MEMORY)]
    assert accelerator.known_too_large(large, rows)
    assert not accelerator.known_too_large(other, rows)
    rows = [row(large, error=accelerator.OUT_OF_MEMORY)]
    assert not accelerator.known_too_large(small, rows)


@pytest.mark.backend_free
def test_no_cell_is_measured_when_the_time_is_over(
    accelerator, tmp_path, capsys
):
    path = tmp_path / "results.jsonl"
    cells = accelerator.plan(["jax"])[:1]
    accelerator.measure_all(cells, path, deadline=time.monotonic() - 1)
    assert not path.exists()
    assert "repeat the command" in capsys.readouterr().out


@pytest.mark.backend_free
def test_the_table_has_ratios_and_what_ran_out_of_memory(accelerator):
    reference = accelerator.Cell("step", "reference", "torch", "bfloat16")
    ours = dataclasses.replace(reference, system="keras_fpt", backend="jax")
    plain = dataclasses.replace(ours, system="plain_keras")
    rows = [
        row(ours, step_seconds=0.25),
        row(plain, error=accelerator.OUT_OF_MEMORY),
        row(reference),
    ]
    text = accelerator.accelerator_table.tables(rows)
    (found,) = (s for s in text.splitlines() if "`keras_fpt`" in s)
    cells = [cell.strip() for cell in found.split("|")]
    assert cells[8:11] == ["2.00", "", "25.0 %"]
    assert "| `plain_keras` | jax | out of memory |" in text
    assert "jax 1.0 on card (`XLA_FLAGS=--fast`), torch 1.0 on card." in text


@pytest.mark.backend_free
def test_the_table_has_the_times_of_runs_and_what_one_step_for_all_gains(
    accelerator,
):
    def times(cell, seconds, ready):
        return row(
            cell,
            seconds=seconds,
            ready_seconds=ready,
            training_seconds=seconds - ready,
            steps_per_run=10,
        )

    rows = [
        times(accelerator.one_by_one("jax", 1), 9.0, 5.0),
        times(accelerator.one_by_one("jax", 8), 64.0, 32.0),
        times(accelerator.in_one_step("jax", 32), 16.0, 8.0),
        row(accelerator.in_one_step("jax", 8), error="out of memory"),
        times(accelerator.in_one_step("torch", 8), 16.0, 8.0),
    ]
    text = accelerator.accelerator_table.tables(rows)
    found = [line for line in text.splitlines() if "| bfloat16 |" in line]
    # The eight that were trained one by one took 8 s and 4 s each.
    assert found == [
        "| jax | bfloat16 | 1 | one by one | 10 | 9.0 | 5.0 | 400.00 "
        "| 1.00 | 1.00 |",
        "| jax | bfloat16 | 8 | one by one | 10 | 64.0 | 32.0 | 400.00 "
        "| 1.00 | 1.00 |",
        "| jax | bfloat16 | 32 | in one step | 10 | 16.0 | 8.0 | 25.00 "
        "| 16.00 | 16.00 |",
        "| jax | bfloat16 | 8 | in one step | out of memory |  |  |  |  |  |",
        "| torch | bfloat16 | 8 | in one step | 10 | 16.0 | 8.0 | 100.00 "
        "|  |  |",
    ]


@pytest.mark.slow  # They are runs of a packaged preset.
def test_runs_in_one_step_are_measured(accelerator):
    cell = dataclasses.replace(
        accelerator.in_one_step(keras.backend.backend(), 2),
        precision="float32",
    )
    found = accelerator.accelerator_cells.measure(cell, smoke=True)
    assert 0 < found["built_seconds"] < found["ready_seconds"]
    total = found["ready_seconds"] + found["training_seconds"]
    assert found["seconds"] == pytest.approx(total)


def test_a_cell_is_measured(accelerator):
    cell = accelerator.Cell(
        *("step", "keras_fpt", keras.backend.backend(), "float32"),
        *("smoke", 8, 2),
    )
    found = accelerator.accelerator_cells.measure(cell, smoke=True)
    expected = 2 / found["step_seconds"]
    assert found["examples_per_second"] == pytest.approx(expected)
    assert found["tokens_per_second"] == pytest.approx(8 * expected)
    assert found["flops"] == cell.shape.flops / found["step_seconds"]
    assert 0 < found["share"] == found["flops"] / found["peak_flops"]
