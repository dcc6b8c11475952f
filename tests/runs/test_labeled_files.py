"""Labeled new data, scored by a finished run."""

import numpy as np
import pandas as pd
import pytest
import typer.testing

from keras_fpt.cli.app import app
from keras_fpt.runs import RunConfig, evaluate_file, predict, train

pytestmark = pytest.mark.backend_free


def write(path, seed, size=60, column="level", names=("low", "high")):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, size)
    values = generator.normal(size=(size, 3)) + 2 * labels[:, None]
    frame = pd.DataFrame(values, columns=["a", "b", "c"])
    frame[column] = np.array(names)[labels]
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def run(preset, tmp_path):
    config = RunConfig(
        str(write(tmp_path / "old.csv", 0)),
        preset,
        steps=20,
        batch_size=16,
        learning_rate=1e-2,
        options={"label_column": "level", "drop_missing": True},
    )
    train(config, tmp_path / "run")
    return tmp_path / "run"


def test_labeled_tables(run, tmp_path):
    runner = typer.testing.CliRunner()
    new = write(tmp_path / "new.csv", 1)
    frame = predict(run, new, tmp_path / "out.csv")
    assert frame.columns[-1] == "label"
    assert frame["label"].tolist() == pd.read_csv(new)["level"].tolist()
    right = (frame["prediction"] == frame["label"]).mean()
    scores = evaluate_file(run, new)
    assert scores["accuracy"] == pytest.approx(right)
    counts = frame["label"].value_counts()
    assert scores["majority"] == counts.index[0]
    assert scores["majority_accuracy"] == pytest.approx(counts.iloc[0] / 60)
    given = [row[f"probability_{row['label']}"] for _, row in frame.iterrows()]
    assert scores["loss"] == pytest.approx(-np.log(given).mean(), rel=1e-4)
    # Predictions are written again over those with labels.
    result = runner.invoke(
        app, ["predict", str(run), str(new), "-o", str(tmp_path / "out.csv")]
    )
    assert f"{right:.2%} of 60 predictions are correct" in result.output
    result = runner.invoke(app, ["evaluate", str(run), str(new)])
    assert f"accuracy {right:.2%} on 60 examples" in result.output

    # A run that was trained without unlabeled rows is scored without them.
    partly = pd.read_csv(new)
    partly.loc[::3, "level"] = ""
    partly.to_csv(tmp_path / "partly.csv", index=False)
    few = evaluate_file(run, tmp_path / "partly.csv")
    is_labeled = np.arange(60) % 3 > 0
    is_right = frame["prediction"] == frame["label"]
    assert few["examples"] == 40
    assert few["accuracy"] == pytest.approx(is_right[is_labeled].mean())

    other = write(tmp_path / "other.csv", 1, column="state")
    with pytest.raises(ValueError, match="no column 'level'"):
        evaluate_file(run, other)
    assert evaluate_file(run, other, label_column="state") == scores
    assert "label" not in predict(run, other)
    unknown = write(tmp_path / "unknown.csv", 1, names=("low", "hot"))
    with pytest.raises(
        ValueError, match="'hot' is not a class of the run.*hot"
    ):
        evaluate_file(run, unknown)
