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
    assert {cell.kind for cell in cells} == {"step", "features", "runs"}
    first = {(cell.model, cell.tokens) for cell in cells[:15]}
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
