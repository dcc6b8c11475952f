# Fixtures are imported, and then named as arguments.
# ruff: noqa: F401, F811
"""Runs that forecast the next rows of a table larger than memory."""

import numpy as np
import pandas as pd
import pytest
from on_disk import both, home

from keras_fpt import tasks
from keras_fpt.runs import (
    RunConfig,
    answers_on_disk,
    evaluate,
    evaluate_file,
    forecast_results,
    forecasts,
    predict_in_blocks,
    predict_split,
    resolve,
    target_results,
    train,
)
from keras_fpt.studies import rivals
from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data.tables import table_files
from keras_fpt.tasks.user_data.tables.series_reader import SeriesReader

OPTIONS = {
    "task_type": "forecast",
    "group_column": "place",
    "context": 12,
    "horizon": 3,
    "fill": "forward",
}


def write(path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(10, 2, (200, 3)), columns=[*"abc"])
    frame["place"] = np.repeat(["x", "y"], 100)
    frame.loc[[20, 40, 170], "a"] = np.nan
    frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ({"target_column": ["a", "b"]}, {"quantiles": "0.1,0.5,0.9"}),
        ({"target_column": "a", "future_column": "c"}, {}),
    ],
)
def test_a_run_is_that_in_memory(
    tmp_path, preset, both, monkeypatch, options, settings
):
    monkeypatch.setattr(answers_on_disk, "BATCHES_AT_ONCE", 1)
    made = []

    def run():
        # Another file each time, since a process reads each once.
        folder = tmp_path / f"{len(made)}"
        folder.mkdir()
        path = write(folder / "table.csv")
        config = RunConfig(
            str(path), preset, options=OPTIONS | options
        ).with_settings(depth=1, steps=4, batch_size=20, **settings)
        folder /= "run"
        made.append(folder)
        metrics = train(config, folder)
        kinds = ("train_", "validation_", "test_", "best_")
        task = resolve(config).task
        return (
            task,
            {name: v for name, v in metrics.items() if name.startswith(kinds)},
            evaluate(folder),
            predict_split(folder).to_dict("list"),
            [(rule.name, rule.values) for rule in rivals.simple_rules(task)],
            tasks.split_table(task).to_dict("list"),
        )

    (first, *expected), (second, *found) = both(run)
    assert not sequence_store.is_on_disk(first.data.splits["test"].x)
    assert sequence_store.is_on_disk(second.data.splits["test"].x)
    assert found == expected


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ({"target_column": ["a", "b"]}, {"quantiles": "0.1,0.5,0.9"}),
        ({"target_column": "a", "future_column": "c"}, {}),
    ],
)
def test_a_new_table_is_forecast_and_scored_as_in_memory(
    tmp_path, preset, both, monkeypatch, options, settings
):
    monkeypatch.setattr(answers_on_disk, "BATCHES_AT_ONCE", 2)
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    frame = pd.read_csv(write(old))
    # What is known of three more rows of each place.
    more = frame.groupby("place").tail(3).assign(a=np.nan, b=np.nan)
    frame = pd.concat([frame, more]).sort_values("place", kind="stable")
    if "future_column" not in options:
        frame[["a", "b"]] = frame[["a", "b"]].ffill()
    frame.to_csv(new, index=False)
    config = RunConfig(str(old), preset, options=OPTIONS | options)
    config = config.with_settings(
        depth=1, steps=2, evaluation_batch_size=20, **settings
    )
    train(config, tmp_path / "run")
    asked = []
    monkeypatch.setattr(
        forecasts,
        "evaluate_windows",
        lambda *args, call=forecasts.evaluate_windows: (
            asked.append(args[-1]) or call(*args)
        ),
    )

    def run():
        scores = evaluate_file(tmp_path / "run", new)
        monkeypatch.setattr(table_files, "ROWS_PER_CHUNK", 13)
        blocks = [*predict_in_blocks(tmp_path / "run", new)]
        return len(blocks), pd.concat(blocks, ignore_index=True), scores

    (one, expected, scores), (two, found, received) = both(run)
    assert (one, two) == (1, 2)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-4)
    assert received == scores
    assert not sequence_store.is_on_disk(asked[0])
    assert sequence_store.is_on_disk(asked[1])


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("horizon", [1, 2, 9])
@pytest.mark.parametrize("count", [1, 700])
def test_errors_are_those_of_numpy_however_they_are_read(
    monkeypatch, count, horizon, columns
):
    rng = np.random.default_rng(0)
    levels = (0.1, 0.5, 0.9)
    shape = (count, horizon, columns)
    answers = rng.normal(size=(*shape, len(levels))).astype("f4")
    y = rng.normal(size=shape).astype("f4")
    x = rng.normal(size=(count, 4, columns)).astype("f4")
    names = tuple("abc"[:columns])
    reader = SeriesReader(names, (0.5,) * columns, (2.5,) * columns, 4, horizon)
    size = np.abs(answers[..., 1] - y.astype(float))
    losses = [
        np.maximum(q * error, (q - 1) * error)
        for q, error in zip(
            levels,
            np.moveaxis(y[..., None].astype(float) - answers, -1, 0),
            strict=True,
        )
    ]
    for chunk in (100, 2000, 2**30):
        monkeypatch.setattr(sequence_store, "CHUNK_BYTES", chunk)
        found = forecast_results.compare(reader, x, y, answers, levels)
        assert list(found) == ["model", "naive"]
        own = found["model"]
        assert own["mse"] == ((answers[..., 1] - y.astype(float)) ** 2).mean()
        assert own["mae"] == size.mean()
        assert own["mae_by_step"] == [
            float(f"{v:.6g}") for v in size.mean(axis=(0, 2))
        ]
        in_units = size.mean(axis=(0, 1)) * np.array(reader.scale)
        assert [*own["mae_in_units"].values()] == in_units.tolist()
        quantiles = target_results.measure_quantiles(answers, y, levels)
        assert quantiles["pinball"] == np.stack(losses, axis=-1).mean()
