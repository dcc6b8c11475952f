import numpy as np
import pandas as pd
import pytest
from written_runs import write_run

from keras_fpt import tasks
from keras_fpt.results import Baseline, baselines, by_size, load_runs
from keras_fpt.runs import RunConfig
from keras_fpt.studies import Comparison, parse_sizes, run_sizes
from keras_fpt.studies import size_comparison as module

# What is compared is the same on every backend.
pytestmark = pytest.mark.backend_free


def test_sizes_are_read_in_ascending_order():
    assert parse_sizes("all, 100,10") == (10, 100, None)
    for text in ("10,,20", "0", "-5", "ten"):
        with pytest.raises(ValueError, match="such as 10,30,100,all"):
            parse_sizes(text)
    with pytest.raises(ValueError, match="named twice"):
        parse_sizes("10,10")


@pytest.mark.parametrize(
    ("task", "size", "message"),
    [
        ("digits", 5, "one for each class"),
        (
            "digits",
            10**6,
            "of them cannot be chosen. Leave it out, or give 'all'",
        ),
        ("bit_xor", None, "generates new training examples"),
    ],
)
def test_sizes_that_cannot_be(task, size, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        run_sizes(Comparison(RunConfig(task)), (size,), tmp_path / "a", 60)
    assert not (tmp_path / "a").exists()


def test_folds_are_compared_one_at_a_time(tmp_path):
    run = RunConfig("rows.csv", options={"folds": 5})
    with pytest.raises(ValueError, match="one fold: give fold"):
        run_sizes(Comparison(run), (10,), tmp_path / "a", 60)


def table(accuracy):
    rows = [
        ("digits", "fpt", "", 2, accuracy, 0.02),
        ("digits", "fpt", "policy output_only", 2, accuracy - 0.1, 0.02),
        ("digits", "majority class", "simple rule", 1, 0.1, np.nan),
        ("digits", "minirocket", "alpha 1", 1, accuracy + 0.1, np.nan),
    ]
    names = ["task", "arm", "settings", "n", "test_accuracy"]
    frame = pd.DataFrame(rows, columns=[*names, "test_accuracy_interval"])
    frame = frame.assign(validation_accuracy=frame["test_accuracy"])
    return frame.set_index(["task", "arm", "settings"])


def test_the_table_has_a_row_for_each_candidate_and_size():
    found = by_size({10: table(0.5), 1437: table(0.8)})
    fpt = found[found["candidate"] == "fpt"].set_index("train_examples")
    assert fpt["test_accuracy"].to_dict() == {10: 0.5, 1437: 0.8}
    # What validation chose is not a candidate of its own.
    assert set(found["candidate"]) == {
        "fpt", "fpt (policy output_only)", "majority class", "minirocket"
    }  # fmt: skip
    rules = found[found["is_simple_rule"]]
    assert set(rules["candidate"]) == {"majority class"}


def test_each_size_has_a_folder_and_a_part_of_the_time(tmp_path, monkeypatch):
    asked = []

    def run_comparison(comparison, output, seconds, budget):
        size = comparison.run.train_examples
        asked.append((size, output.name, seconds))
        if size == 30:
            raise KeyboardInterrupt
        write_run(
            output / "runs" / "a", 0.5, arm="fpt", preset="gpt2_tiny_en",
            train_examples=size,
        )  # fmt: skip
        (output / "runs" / "a" / "adapter.safetensors").write_bytes(b"12")
        rival = Baseline(
            "bit_xor",
            "minirocket",
            "alpha 1",
            1,
            0.9,
            0.9,
            1,
            10,
            10,
            size=size,
        )
        baselines.write([rival], output)
        return output, table(0.5), f"at {size}"

    monkeypatch.setattr(module, "run_comparison", run_comparison)
    comparison, folder = Comparison(RunConfig("digits")), tmp_path / "sizes"
    with pytest.raises(KeyboardInterrupt):
        run_sizes(comparison, (10, 30, None), folder, 300)
    assert [size for size, *_ in asked] == [10, 30]
    assert 95 < asked[0][2] < 100 and 145 < asked[1][2] < 150
    # What is known is kept.
    csv = pd.read_csv(folder / "accuracy_by_size.csv")
    assert set(csv["train_examples"]) == {10}
    assert (folder / "accuracy_by_size.png").read_bytes()[:4] == b"\x89PNG"
    assert not (folder / "report.html").exists()

    _, found, conclusions = run_sizes(comparison, (10, None), tmp_path / "b", 9)
    count = tasks.get("digits").data.size("train")
    assert conclusions == {10: "at 10", count: "at None"}
    assert set(found["train_examples"]) == {10, count}
    page = (tmp_path / "b" / "report.html").read_text()
    assert "against the number of training examples" in page
    assert "alpha 1, train examples 10" in page
    runs = load_runs(tmp_path / "b")
    assert set(runs["settings"]) == {"", "train examples 10"}
    with pytest.raises(FileExistsError, match="with other settings"):
        run_sizes(comparison, (20, None), tmp_path / "b", 9)
