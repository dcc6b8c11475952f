import numpy as np
import pandas as pd
import pytest

from keras_fpt.runs import RunConfig, evaluate, predict, to_csv, train

pytestmark = pytest.mark.backend_free


def write(path, seed=0, labelled=True):
    """Groups of 3 to 6 rows, whose mean determines their label."""
    generator = np.random.default_rng(seed)
    rows = []
    for group in range(60):
        label = ("low", "high")[group % 2]
        for _ in range(3 + group % 4):
            value = generator.normal(5 if label == "high" else -5)
            rows.append((f"g{group}", value, label))
    frame = pd.DataFrame(rows, columns=["group", "value", "level"])
    (frame if labelled else frame[["group", "value"]]).to_csv(path, index=False)
    return path


@pytest.fixture
def finished(preset, tmp_path, monkeypatch):
    """A run on a table that is gone afterwards."""
    table = write(tmp_path / "levels.csv")
    whole = table.read_text()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "moved").mkdir()
    config = RunConfig(
        "levels.csv",
        preset,
        steps=40,
        batch_size=32,
        learning_rate=1e-2,
        options={"label_column": "level", "group_column": "group"},
    )
    metrics = train(config, tmp_path / "run")
    assert evaluate(tmp_path / "run")["accuracy"] == pytest.approx(
        metrics["test_accuracy"]
    )
    # Another row would make another split.
    table.write_text(whole + "g60,5,low\n")
    with pytest.raises(ValueError, match="data has changed since"):
        evaluate(tmp_path / "run")
    moved = table.rename(tmp_path / "moved" / "levels.csv")
    moved.write_text(whole)
    assert evaluate(tmp_path / "run", data_dir=moved)[
        "accuracy"
    ] == pytest.approx(metrics["test_accuracy"])
    moved.unlink()
    return tmp_path / "run", metrics


def test_new_groups_get_names_classes_and_probabilities(finished, tmp_path):
    folder, metrics = finished
    assert metrics["task"] == "levels"
    assert metrics["test_majority_accuracy"] == pytest.approx(0.5)
    assert metrics["test_accuracy"] == 1.0
    new = write(tmp_path / "new.csv", seed=1, labelled=False)
    output = tmp_path / "predictions.csv"
    frame = predict(folder, new, output)
    assert frame["example"].tolist() == [f"group g{n}" for n in range(60)]
    assert frame["prediction"].tolist() == ["low", "high"] * 30
    columns = ["probability_high", "probability_low"]
    np.testing.assert_allclose(frame[columns].sum(axis=1), 1, atol=1e-5)
    best = frame[columns].to_numpy().argmax(axis=1)
    assert (np.array(["high", "low"])[best] == frame["prediction"]).all()
    written = pd.read_csv(output)
    assert written.columns.tolist() == ["example", "prediction", *columns]
    assert written["prediction"].tolist() == frame["prediction"].tolist()

    # Written again, but not over what it reads, nor over another's file.
    predict(folder, new, output)
    rows, other = new.read_bytes(), tmp_path / "notes.csv"
    other.write_text("mine")
    for path in (new, other, folder / "adapter.safetensors"):
        with pytest.raises(FileExistsError, match=path.name):
            predict(folder, new, path)
    with pytest.raises(FileExistsError, match="the input"):
        predict(folder, new, new, overwrite=True)
    assert new.read_bytes() == rows and other.read_text() == "mine"

    long = "group,value\n" + "a,1\n" * 200
    (tmp_path / "long.csv").write_text(long)
    with pytest.raises(ValueError, match="group a: 200 tokens are more than"):
        predict(folder, tmp_path / "long.csv")
    (tmp_path / "other.csv").write_text("group,speed\na,1\n")
    with pytest.raises(ValueError, match="other.csv` has no column 'value'"):
        predict(folder, tmp_path / "other.csv")


def test_predictions_hold_no_formulas(tmp_path):
    frame = pd.DataFrame(
        {
            "example": ["=cmd()", "row 2"],
            "prediction": ["-1", "@x"],
            "probability_-1": [1.0, 0.0],
        }
    )
    assert to_csv(frame).splitlines()[1:] == [
        "'=cmd(),-1,1.000000",
        "row 2,'@x,0.000000",
    ]


def test_runs_that_cannot_predict(preset, tmp_path):
    config = RunConfig("bit_xor", preset, steps=1, batch_size=500)
    train(config, tmp_path / "xor")
    with pytest.raises(FileNotFoundError, match="only runs on your own data"):
        predict(tmp_path / "xor", "new.csv")
    (tmp_path / "xor" / "adapter.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="not finished"):
        predict(tmp_path / "xor", "new.csv")
