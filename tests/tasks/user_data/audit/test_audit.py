import logging

import numpy as np
import pandas as pd
import pytest

from keras_fpt import tasks
from keras_fpt.tasks.user_data import paths
from keras_fpt.tasks.user_data.audit import findings

pytestmark = pytest.mark.backend_free


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def write(path, **columns):
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def find(path, label="y", **options):
    task = tasks.from_csv(path, label, verbose=False, **options)
    return {finding.kind: finding for finding in task.findings}


def noise(rng, rows=300, columns="abc"):
    return {name: rng.normal(size=rows).round(6) for name in columns}


def halves(rows=300):
    return np.repeat(["n", "p"], rows // 2)


def test_noise_sorted_by_its_label_is_clean(tmp_path, rng):
    table = write(tmp_path / "t.csv", **noise(rng), y=halves())
    assert find(table) == {}


def test_a_row_number_that_predicts_is_a_leak(tmp_path, rng):
    table = write(tmp_path / "t.csv", id=range(300), **noise(rng), y=halves())
    found = find(table)
    assert list(found) == ["row-numbers"]
    assert found["row-numbers"].message == (
        "The column 'id' counts the rows (0 to 299) and alone predicts 100.0% "
        "of the held-out rows (majority class 50.0%)."
    )
    assert found["row-numbers"].advice == "Leave it out: --ignore-column id."
    assert found["row-numbers"].is_leak
    assert find(table, ignore_column="id") == {}


def test_a_row_number_that_does_not_predict_is_no_leak(tmp_path, rng):
    y = rng.permutation(halves())
    table = write(tmp_path / "t.csv", Id=range(1, 301), **noise(rng), y=y)
    assert not find(table)["row-numbers"].is_leak


@pytest.mark.parametrize(
    "ids",
    [
        np.random.default_rng(1).permutation(300),
        np.sort(np.random.default_rng(1).choice(9999, 300, replace=False)),
        np.arange(300)[::-1] * 3,
    ],
    ids=["shuffled", "growing", "falling"],
)
def test_ids_are_found(tmp_path, rng, ids):
    y = rng.permutation(halves())
    table = write(tmp_path / "t.csv", code=ids, **noise(rng), y=y)
    assert list(find(table)) == ["row-numbers"]


def test_whole_numbers_of_a_wide_range_are_no_ids(tmp_path, rng):
    pay = rng.choice(10**6, 300, replace=False)
    y = rng.permutation(halves())
    table = write(tmp_path / "t.csv", pay=pay, **noise(rng), y=y)
    assert find(table) == {}


def test_a_column_one_to_one_with_the_label_is_a_leak(tmp_path, rng):
    y = rng.choice(["sit", "run", "walk"], 100)
    code = [{"sit": 10, "run": 30, "walk": 20}[name] for name in y]
    table = write(tmp_path / "t.csv", **noise(rng, 100), code=code, y=y)
    found = find(table)
    assert list(found) == ["label-twin"]
    assert found["label-twin"].is_leak
    assert "'code' alone determines" in found["label-twin"].message


def test_several_values_for_a_class_are_a_twin(tmp_path, rng):
    code = rng.integers(0, 9, 200)
    y = np.where(code % 2, "odd", "even")
    table = write(tmp_path / "t.csv", **noise(rng, 200), code=code, y=y)
    assert "label-twin" in find(table)


def test_one_hot_copies_of_the_label_are_a_leak(tmp_path, rng):
    kind = rng.integers(0, 3, 150)
    walk, run, sit = (np.equal(kind, i).astype(int) for i in range(3))
    table = write(
        tmp_path / "t.csv", **noise(rng, 150), run=run, sit=sit, walk=walk
    )
    found = find(table, "walk")
    assert list(found) == ["label-indicators"]
    assert found["label-indicators"].is_leak
    assert "'run' and 'sit'" in found["label-indicators"].message


def test_few_rows_determine_the_class_by_chance(tmp_path, rng):
    # Three values in twelve rows, and one-hot columns of four features.
    for seed in range(8):
        rng = np.random.default_rng(seed)
        columns = {n: rng.integers(0, 3, 14) for n in "abcd"}
        y = np.array(list("xyxyxyxyxyxyxy"))
        table = write(tmp_path / "t.csv", **columns, y=y)
        found = find(table)
        assert not {"label-twin", "label-indicators"} & found.keys(), seed


def test_a_column_that_solves_the_task_is_named(tmp_path, rng):
    columns = noise(rng)
    y = np.where(columns["b"] > 0.2, "high", "low")
    found = find(write(tmp_path / "t.csv", **columns, y=y))
    assert list(found) == ["one-column-solves"]
    assert "'b' alone predicts" in found["one-column-solves"].message
    assert not found["one-column-solves"].is_leak


@pytest.mark.parametrize("sentinel", [-200, 9999, -999])
def test_a_sentinel_is_found(tmp_path, rng, sentinel):
    columns = noise(rng)
    columns["b"] = np.where(rng.random(300) < 0.1, sentinel, columns["b"])
    y = rng.permutation(halves())
    found = find(write(tmp_path / "t.csv", **columns, y=y))
    assert list(found) == ["sentinel"]
    assert f"--missing {sentinel} " in found["sentinel"].advice
    assert "'b' holds" in found["sentinel"].message


def test_a_negative_sentinel_among_wide_numbers_is_found(tmp_path, rng):
    gas = rng.gamma(2, 300, 300).round()
    gas[::9] = -200
    y = rng.permutation(halves())
    assert "sentinel" in find(write(tmp_path / "t.csv", gas=gas, y=y))


def test_counts_with_a_long_tail_have_no_sentinel(tmp_path, rng):
    columns = {
        "poisson": rng.poisson(2, 300),
        "zipf": np.minimum(rng.zipf(2.0, 300), 500),
        "capped": np.minimum(rng.exponential(1, 300), 2).round(4),
        "binary": rng.integers(0, 2, 300),
        "rare": (rng.random(300) < 0.03).astype(int),
    }
    y = rng.permutation(halves())
    assert find(write(tmp_path / "t.csv", **columns, y=y)) == {}


def test_constants_are_found(tmp_path, rng):
    split = np.where(np.arange(300) % 5, "train", "test")
    columns = noise(rng)
    columns["late"] = np.where(split == "train", 0, columns["a"])
    table = write(
        tmp_path / "t.csv",
        **columns,
        version=[3] * 300,
        set=split,
        y=rng.permutation(halves()),
    )
    found = find(table, split_column="set")
    assert "'version'" in found["constant-column"].message
    assert "'late'" in found["constant-in-train"].message


def test_times_are_found_in_a_series(tmp_path, rng):
    columns = noise(rng, 1000, "xy")
    y = np.tile(np.repeat(["a", "b"], 50), 10)
    time = 1.6e12 + 20 * np.arange(1000) + rng.integers(0, 9, 1000)
    person = np.repeat(rng.permutation(10), 100)
    table = write(
        tmp_path / "t.csv", timestamp=time, person=person, **columns, label=y
    )
    found = find(table, "label", window=50)
    assert "'timestamp' only grows" in found["time-as-feature"].message
    assert "--time-column timestamp" in found["time-as-feature"].advice
    assert "--group-column person" in found["group-as-feature"].advice


def test_times_that_start_again_in_each_group_are_found(tmp_path, rng):
    columns = noise(rng, 400, "xz")
    clock = np.concatenate(
        [rng.random(20).cumsum().round(4) for _ in range(20)]
    )
    table = write(
        tmp_path / "t.csv",
        trial=np.repeat(np.arange(20), 20),
        clock=clock,
        **columns,
        y=np.repeat(["a", "b"] * 10, 20),
    )
    found = find(table, group_column="trial")
    assert list(found) == ["time-as-feature"]
    assert "'clock' only grows within" in found["time-as-feature"].message


def test_people_in_several_splits_are_a_leak(tmp_path, rng):
    table = write(
        tmp_path / "t.csv",
        patient_id=[f"p{i}" for i in rng.integers(0, 20, 300)],
        **noise(rng),
        y=rng.permutation(halves()),
    )
    found = find(table, ignore_column="patient_id")
    assert list(found) == ["groups-across-splits"]
    assert found["groups-across-splits"].is_leak
    assert "--split-group patient_id" in found["groups-across-splits"].advice


def test_drift_leaves_the_range_of_train(tmp_path, rng):
    drift = np.arange(400) + rng.normal(size=400) * 9
    y = np.tile(np.repeat(["a", "b"], 10), 20)
    found = find(write(tmp_path / "t.csv", v=drift, y=y), window=10)
    assert "outside-train-range" in found


def test_folds_as_classes_are_found(tmp_path, rng):
    y = rng.choice(["fold1", "fold2", "fold3"], 300)
    found = find(write(tmp_path / "t.csv", **noise(rng), y=y))
    assert list(found) == ["folds-as-classes"]


def test_strict_makes_a_leak_an_error(tmp_path, rng):
    table = write(tmp_path / "t.csv", id=range(300), **noise(rng), y=halves())
    with pytest.raises(ValueError, match="1 leak: The column 'id' counts"):
        find(table, strict=True)
    clean = write(tmp_path / "c.csv", **noise(rng), y=halves())
    assert find(clean, strict=True) == {}


def test_notes_are_logged(tmp_path, rng, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("keras_fpt"), "propagate", True)
    table = write(tmp_path / "t.csv", id=range(300), **noise(rng), y=halves())
    with caplog.at_level(logging.INFO, "keras_fpt"):
        paths.from_path(table, label_column="y")
    assert "  note: The column 'id' counts the rows" in caplog.text


def test_columns_are_quoted_for_a_shell():
    assert findings.ignore(["a b"]) == "--ignore-column 'a b'."
    many = findings.name_columns(list("abcdefg"), "has", "have")
    assert many == "The columns 'a', 'b', 'c', 'd', 'e' and 2 more have"


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("wine", []),
        ("breast_cancer", []),
        ("digits", ["constant-column"]),  # three pixels are always blank
    ],
)
def test_real_tables_are_clean(tmp_path, name, kinds):
    datasets = pytest.importorskip("sklearn.datasets")
    frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert list(find(tmp_path / "t.csv", "target")) == kinds


def test_a_regression_on_a_real_table_is_clean(tmp_path):
    datasets = pytest.importorskip("sklearn.datasets")
    frame = datasets.load_diabetes(as_frame=True).frame
    frame.to_csv(tmp_path / "t.csv", index=False)
    task = tasks.from_csv(
        tmp_path / "t.csv", "target", task_type="regression", verbose=False
    )
    assert task.num_targets == 1 and not task.findings


@pytest.mark.parametrize("seed", [0, 1])
def test_a_survey_is_clean(tmp_path, seed):
    r = np.random.default_rng(seed)
    size = 400
    days = pd.to_timedelta(r.integers(0, 900, size), unit="D")
    frame = pd.DataFrame(
        {
            "subject": r.choice(["math", "art", "biology"], size),
            "device": r.choice(["phone", "computer"], size),
            "user_rating": r.integers(1, 6, size),
            "family_size": r.integers(1, 7, size),
            "year": r.integers(1990, 2024, size),
            "day": pd.Timestamp("2020-01-01") + days,
            "income": r.lognormal(5, 1, size).round(1) * r.integers(0, 2, size),
            "wealth": r.standard_cauchy(size),
            "children": r.poisson(1, size),
            "is_member": r.choice(["yes", "no"], size),
            "answer": r.choice(["for", "against", "none of them"], size),
        }
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert not tasks.from_csv(
        tmp_path / "t.csv", "answer", verbose=False
    ).findings


def test_classes_that_differ_in_case_are_found(tmp_path, rng):
    y = np.array(["Yes", "yes", "no"])[np.arange(300) % 3]
    table = write(tmp_path / "t.csv", **noise(rng), y=y)
    found = find(table)
    assert list(found) == ["similar-classes"]
    assert "'Yes' and 'yes' differ" in found["similar-classes"].message
    x = rng.normal(size=(300, 4, 2))
    task = tasks.from_arrays(x, y, verbose=False)
    assert [each.kind for each in task.findings] == ["similar-classes"]


def test_marks_of_missing_cells_are_found(tmp_path, rng):
    work = np.array(["self", "state", "?"])[np.arange(300) % 3]
    y = np.array(["n", "p", "-"])[rng.integers(3, size=300)]
    table = write(tmp_path / "t.csv", **noise(rng), work=work, y=y)
    task = tasks.from_csv(table, "y", verbose=False)
    assert [str(each) for each in task.findings] == [
        "The classes hold '-', which is read as a value like others. If it "
        "marks missing values: --missing - --drop-missing.",
        "The column 'work' holds '?', which is read as a value like others. If "
        "it marks missing values: --missing '?' --fill median.",
    ]
    marked = {"missing": ["?", "-"], "fill": "median", "drop_missing": True}
    assert find(table, **marked) == {}


def test_many_classes_are_no_warning_of_a_library(tmp_path, rng, recwarn):
    frame = pd.DataFrame({"a": range(80), "b": rng.normal(size=80)})
    frame["y"] = frame["a"] % 36
    frame.to_csv(tmp_path / "t.csv", index=False)
    tasks.from_csv(tmp_path / "t.csv", "y", verbose=False)
    assert not [w for w in recwarn if "unique classes" in str(w.message)]


def lagged(series, lags, stride=1):
    """Windows of a series, each of which is a row of a table."""
    n = (len(series) - lags) // stride
    names = [f"t{i}" for i in range(lags)]
    rows = [series[i * stride : i * stride + lags] for i in range(n)]
    return pd.DataFrame(np.array(rows), columns=names)


@pytest.mark.parametrize("case", ["all", "strides", "shuffled", "reversed"])
@pytest.mark.parametrize("lags", [5, 20])
def test_overlapping_windows_in_rows_are_found(tmp_path, case, lags):
    rng = np.random.default_rng(0)
    series = rng.normal(size=800).cumsum().round(4)
    frame = lagged(series, lags, lags // 3 if case == "strides" else 1)
    if case == "reversed":
        frame = frame[frame.columns[::-1]]
    if case == "shuffled":
        frame = frame.sample(frac=1, random_state=0)
    frame["other"] = rng.normal(size=len(frame))
    frame["y"] = rng.integers(0, 2, len(frame))
    frame.to_csv(tmp_path / "lags.csv", index=False)
    task = tasks.from_csv(tmp_path / "lags.csv", "y", verbose=False)
    found = {f.kind: f for f in task.findings}
    assert found["shared-rows-across-splits"].is_leak


def test_windows_of_several_channels_in_rows_are_found(tmp_path):
    rng = np.random.default_rng(0)
    parts = [lagged(rng.normal(size=400), 8).add_prefix(c) for c in "xyz"]
    frame = pd.concat(parts, axis=1)
    frame["label"] = rng.integers(0, 2, len(frame))
    frame.to_csv(tmp_path / "lags.csv", index=False)
    task = tasks.from_csv(tmp_path / "lags.csv", "label", verbose=False)
    assert [f.kind for f in task.findings] == ["shared-rows-across-splits"]


@pytest.mark.parametrize(
    "values", ["few", "many", "apart", "rounded", "indicators", "counts"]
)
def test_rows_that_share_no_cells_are_no_windows(tmp_path, values):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 12))
    if values == "few":
        x = rng.integers(1, 6, (400, 12))
    if values == "apart":  # windows of a series that have no row in common
        x = rng.normal(size=(4800)).reshape(400, 12)
    if values == "rounded":
        x = x.cumsum(axis=1).round(1)
    if values == "indicators":
        x = np.eye(12)[rng.integers(0, 12, 400)]
        x[:, 0] = rng.normal(size=400)
    if values == "counts":
        x = np.eye(12)[rng.integers(0, 12, 400)] * rng.integers(1, 90, (400, 1))
        x[:, 0] = rng.normal(size=400)
    frame = pd.DataFrame(x).add_prefix("t")
    frame["y"] = rng.integers(0, 2, 400)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    task = tasks.from_csv(tmp_path / "rows.csv", "y", verbose=False)
    assert task.findings == ()
