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
    evaluate,
    predict_split,
    resolve,
    train,
)
from keras_fpt.studies import rivals
from keras_fpt.tasks import sequence_store

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
def test_a_run_is_that_in_memory(tmp_path, preset, both, options, settings):
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
