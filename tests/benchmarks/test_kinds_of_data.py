"""The benchmark over the kinds of data: what it makes, chooses and prints."""

import pathlib

import pytest

from keras_fpt import tasks

BENCHMARKS = pathlib.Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.backend_free


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import kinds_of_data

    return kinds_of_data


@pytest.mark.parametrize(
    ("kind", "classes"),
    [
        ("table, iris", 3),
        ("table, diabetes (numbers)", 0),
        ("table, a hospital's export", 2),
        ("table, several labels", 2),
        ("several rows per example", 3),
        ("one long series", 3),
        ("a label for each row", 3),
        ("forecast", 0),
        ("windows of a series", 3),
        ("strings", 2),
        ("proteins", 2),
        ("DNA", 2),
        ("recordings", 3),
        ("UCR .ts", 3),
    ],
)
def test_each_kind_is_read_as_the_documents_say(
    benchmark, tmp_path, monkeypatch, kind, classes
):
    monkeypatch.setattr(benchmark, "MADE", 120)
    make, more = benchmark.KINDS[kind]
    path, options = make(tmp_path)
    task = tasks.get(str(path), **options)
    assert task.num_classes == classes
    assert len(benchmark.RATES) + len(more) == 5


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"accuracy": (0.8, 0.7)}, (0.8, 0.7)),
        ({"r2": (0.6, 0.5), "mse": (9.0, 8.0)}, (0.6, 0.5)),
        ({"mse": (0.25, 0.5)}, (0.75, 0.5)),
    ],
)
def test_the_measure_is_that_of_the_answers(
    benchmark, tmp_path, monkeypatch, metrics, expected
):
    found = {
        f"{part}_{name}": value
        for name, values in metrics.items()
        for part, value in zip(("validation", "test"), values, strict=True)
    }
    monkeypatch.setattr(benchmark.runs, "train", lambda *_, **__: found)
    config = benchmark.runs.RunConfig("rows.csv")
    reached = benchmark.train(config, {}, False, tmp_path)
    assert reached == pytest.approx(expected)


def test_the_best_of_five_is_chosen_on_validation(
    benchmark, tmp_path, monkeypatch
):
    reached = iter(
        [(0.7, 0.9), (0.5, 0.99), (0.8, 0.92), (0.6, 1.0), (0.1, 1), (0.1, 1)]
        # With another seed, another one is chosen.
        + [(0.9, 1), (0.9, 0.98), (0.8, 1), (0.6, 1), (0.1, 1), (0.1, 1)]
    )
    monkeypatch.setattr(benchmark, "train", lambda *_: next(reached))
    row, behind = benchmark.measure(
        "table, iris", tmp_path, 10, 16, 1, seeds=[0, 1]
    )
    assert behind == pytest.approx(0)
    assert "| 80.0% | 95.0% | 85.0% | 95.0% |" in row
    assert row.endswith("| learning_rate 0.003; learning_rate 0.0003 |")
