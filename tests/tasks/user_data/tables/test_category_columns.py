"""Columns of digits that the user names as categories."""

import json

import numpy as np
import pandas as pd
import pytest

from keras_fpt import tasks
from keras_fpt.tasks.user_data import paths

pytestmark = pytest.mark.backend_free

CODES = ["02139", "01234", "9876", "A1"]


def table(codes=CODES, size=80):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "zip": [codes[i % len(codes)] for i in range(size)],
            "b": rng.normal(size=size),
            "y": rng.choice(["p", "q"], size),
        }
    )


def read(path, **options):
    return paths.from_path(
        path,
        label_column="y",
        category_column="zip",
        verbose=False,
        **options,
    )


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
def test_codes_become_indicators_and_keep_their_zeros(tmp_path, suffix):
    path = tmp_path / f"table{suffix}"
    frame = table()
    {
        ".csv": frame.to_csv,
        ".xlsx": frame.to_excel,
        ".parquet": frame.to_parquet,
    }[suffix](path, index=False)
    task = read(path)
    assert task.reader.kinds[0].kind == "category"
    assert task.reader.kinds[0].categories == tuple(sorted(CODES))
    assert "codes-as-numbers" not in {each.kind for each in task.findings}
    # The tokens are 4 codes, all others, and 'b'.
    x, _ = task.reader.read(path)
    assert x.shape == (80, 6, 1)
    expected = [frame["zip"] == code for code in sorted(CODES)]
    np.testing.assert_array_equal(x[:, :4, 0].T, expected)
    entry = json.loads(json.dumps(paths.reader_to_json(task.reader)))
    saved = paths.reader_from_json(entry)
    assert saved == task.reader
    frame.loc[0, "zip"] = "00000"
    frame.to_csv(tmp_path / "new.csv", index=False)
    new, _ = saved.read(tmp_path / "new.csv")
    np.testing.assert_array_equal(new[0, :5, 0], [0, 0, 0, 0, 1])
    np.testing.assert_array_equal(new[1:], x[1:])


@pytest.mark.parametrize("empty", [False, True])
def test_numbers_in_typed_files(tmp_path, empty):
    frame = table(codes=[3, 17, 20240131])
    options = {}
    if empty:
        frame.loc[5, "zip"] = np.nan  # pandas has floats now.
        options["fill"] = "median"
    frame.to_parquet(tmp_path / "table.parquet")
    task = read(tmp_path / "table.parquet", **options)
    assert task.reader.kinds[0].categories == ("17", "20240131", "3")
    frame = table(codes=["3", "17", "20240131"])
    frame.to_csv(tmp_path / "table.csv", index=False)
    expected, _ = task.reader.read(tmp_path / "table.csv")
    frame["zip"] = frame["zip"].astype(float)
    frame.to_parquet(tmp_path / "table.parquet")
    received, _ = task.reader.read(tmp_path / "table.parquet")
    np.testing.assert_allclose(received, expected, 1e-6)


def test_codes_with_points_are_read_again(tmp_path):
    """Points may separate thousands in columns of numbers, not in codes."""
    path = tmp_path / "table.csv"
    table(codes=["1.101", "1.102", "2"]).to_csv(path, sep=";", index=False)
    task = read(path)
    assert task.reader.kinds[0].categories == ("1.101", "1.102", "2")
    x, _ = task.reader.read(path)
    np.testing.assert_array_equal(x[:2, :2, 0], np.eye(2))


def test_zeros_and_ones_are_a_category_if_named(tmp_path):
    table(codes=["0", "1"]).to_csv(tmp_path / "table.csv", index=False)
    task = read(tmp_path / "table.csv", missing="0", fill="median")
    assert task.reader.kinds[0].categories == ("1",)
    task = read(tmp_path / "table.csv")
    assert task.reader.kinds[0].categories == ("0", "1")


def test_what_cannot_be_a_category(tmp_path):
    path = tmp_path / "table.csv"
    frame = table(codes=[str(i) for i in range(60)], size=240)
    frame.to_csv(path, index=False)
    with pytest.raises(ValueError, match="'zip': The column holds 60 differ"):
        read(path)
    with pytest.raises(ValueError, match="category_column .* is left out"):
        read(path, ignore_column="zip")
    table().drop(columns="zip").to_csv(path, index=False)
    with pytest.raises(ValueError, match="has no column 'zip'"):
        read(path)


def test_notes_and_errors_name_the_option(tmp_path):
    path = tmp_path / "table.csv"
    table().to_csv(path, index=False)
    with pytest.raises(ValueError, match="--category-column zip"):
        tasks.from_csv(path, "y")
    table(codes=["02139", "01234", "98765"]).to_csv(path, index=False)
    task = tasks.from_csv(path, "y", verbose=False)
    (finding,) = [f for f in task.findings if f.kind == "codes-as-numbers"]
    assert "--category-column zip" in finding.advice
