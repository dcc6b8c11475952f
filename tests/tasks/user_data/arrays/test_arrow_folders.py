"""Data sets of Hugging Face's `datasets`, saved with `save_to_disk`."""

import io
import json

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from keras_fpt import tasks

pytestmark = pytest.mark.backend_free


@pytest.fixture
def columns():
    generator = np.random.default_rng(0)
    return {
        "smiles": ["CCO", "CN", "CCCC"] * 20,
        "label": [n // 3 % 2 for n in range(60)],
        "who": [f"p{n // 6}" for n in range(60)],
        "x": [
            generator.normal(size=(n % 4 + 2, 3)).astype("float32").tolist()
            for n in range(60)
        ],
    }


def save(folder, columns, class_names=("no", "yes")):
    """Writes what `datasets` 5 writes, in two files."""
    folder.mkdir(parents=True)
    table = pa.table(columns)
    files = []
    for number, part in enumerate((table[:25], table[25:])):
        files.append({"filename": f"data-0000{number}-of-00002.arrow"})
        file = str(folder / files[-1]["filename"])
        with (
            pa.OSFile(file, "wb") as sink,
            pa.ipc.new_stream(sink, part.schema) as writer,
        ):
            writer.write_table(part)
    feature = {"names": list(class_names), "_type": "ClassLabel"}
    for name, content in (
        ("state.json", {"_data_files": files}),
        ("dataset_info.json", {"features": {"label": feature}}),
    ):
        (folder / name).write_text(json.dumps(content))
    return folder


def contents(task):
    return {
        np.asarray(x).tobytes(): task.class_names[y]
        for part in task.data.splits.values()
        for x, y in zip(part.x, part.y, strict=True)
    }


def test_columns_of_groups_are_audited(tmp_path, columns):
    columns["speaker_id"] = columns["who"]
    folder = str(save(tmp_path / "saved", columns))
    (found,) = tasks.get(folder).findings
    assert found.kind == "groups-across-splits"
    assert "--split-group speaker_id" in found.advice
    assert tasks.get(folder, split_group="speaker_id").findings == ()
    # Not a value, which would take memory as text.
    del columns["speaker_id"]
    columns["video"] = [{"frames": who} for who in columns["who"]]
    folder = str(save(tmp_path / "others", columns))
    assert tasks.get(folder).findings == ()


def expected(columns):
    return {
        np.array(x, "float32").tobytes(): ["no", "yes"][y]
        for x, y in zip(columns["x"], columns["label"], strict=True)
    }


def test_lists_of_numbers_are_sequences(tmp_path, columns):
    path = save(tmp_path / "mine", columns)
    task = tasks.get(path)
    assert contents(task) == expected(columns)
    new, _ = task.reader.read(path)
    np.testing.assert_array_equal(
        new.flat_values, np.concatenate(columns["x"]).astype("float32")
    )
    flat = {**columns, "x": [np.ravel(x) for x in columns["x"]]}
    task = tasks.get(save(tmp_path / "flat", flat))
    assert (task.input_dim, task.sequence_length) == (1, 15)


def test_a_column_of_text(tmp_path, columns):
    path = save(tmp_path / "mine", columns)
    task = tasks.get(path, text_column="smiles", label_column="label")
    assert task.class_names == ("no", "yes")
    assert task.symbols == ("C", "N", "O", "\ufffd")
    x, names = task.reader.read(path)
    assert x[1].numpy().tolist() == [0, 1] and len(names) == 60
    columns["label"][3] = -1
    path = save(tmp_path / "unknown", columns)
    with pytest.raises(ValueError, match="row 4: the label is missing"):
        tasks.get(path, text_column="smiles", label_column="label")


def test_splits_of_a_dictionary(tmp_path, columns):
    parts = {"train": slice(0, 45), "test": slice(45, 60)}
    for split, rows in parts.items():
        part = {name: values[rows] for name, values in columns.items()}
        save(tmp_path / "mine" / split, part)
    (tmp_path / "mine" / "dataset_dict.json").write_text(
        json.dumps({"splits": list(parts)})
    )
    for options in ({}, {"text_column": "smiles", "label_column": "label"}):
        task = tasks.get(tmp_path / "mine", **options)
        sizes = [len(part.y) for part in task.data.splits.values()]
        assert sizes[2] == 15 and sum(sizes) == 60
        y = task.data.splits["test"].y.tolist()
        assert y == columns["label"][45:]


def test_what_cannot_be_read_is_named(tmp_path, columns):
    del columns["x"]
    path = save(tmp_path / "no_lists", columns)
    with pytest.raises(ValueError, match="no column of sequences.*--text-col"):
        tasks.get(path)
    with pytest.raises(ValueError, match="no column 'y2'"):
        tasks.get(path, label_column="y2")
    (path / "state.json").write_text('{"_data_files": [{"filename": "../a"}]}')
    with pytest.raises(ValueError, match="expected a file name"):
        tasks.get(path)
    file = save(tmp_path / "cut", columns) / "data-00000-of-00002.arrow"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(ValueError, match="Cannot read `.*00000-of-00002.arrow"):
        tasks.get(tmp_path / "cut")


def test_what_datasets_itself_writes(tmp_path, columns):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {
            "smiles": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["no", "yes"]),
            "who": datasets.Value("string"),
            "x": datasets.Sequence(
                datasets.Sequence(datasets.Value("float32"))
            ),
        }
    )
    datasets.disable_progress_bars()
    written = datasets.Dataset.from_dict(columns, features=features)
    written.save_to_disk(str(tmp_path / "mine"))
    assert contents(tasks.get(tmp_path / "mine")) == expected(columns)


def as_bytes(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


@pytest.fixture
def pictures(tmp_path, columns):
    """A data set of 60 images, and their pixels."""
    pixels = np.random.default_rng(0).integers(0, 255, (60, 8, 8, 3), "uint8")
    columns = {
        "image": [{"bytes": as_bytes(p), "path": "x.png"} for p in pixels],
        "label": columns["label"],
        "who": columns["who"],
    }
    path = save(tmp_path / "pictures", columns)
    info = json.loads((path / "dataset_info.json").read_text())
    info["features"]["image"] = {"_type": "Image"}
    (path / "dataset_info.json").write_text(json.dumps(info))
    return path, pixels


def test_images_are_those_of_a_folder(pictures, tmp_path, columns):
    path, pixels = pictures
    task = tasks.get(path, image_size=8, verbose=False)
    for label, image in zip(columns["label"], pixels, strict=True):
        file = tmp_path / "folder" / ["no", "yes"][label]
        file.mkdir(parents=True, exist_ok=True)
        (file / f"{len([*file.iterdir()])}.png").write_bytes(as_bytes(image))
    of_folder = tasks.get(tmp_path / "folder", image_size=8, verbose=False)
    assert task.class_names == of_folder.class_names == ("no", "yes")
    assert task.reader == of_folder.reader
    encoded = task.reader.encode(pixels).numpy()
    place = {image.tobytes(): i for i, image in enumerate(pixels)}
    seen = []
    for part in task.data.splits.values():
        for image, label in zip(part.x, part.y, strict=True):
            row = place[np.asarray(image).tobytes()]
            assert label == columns["label"][row]
            seen.append(row)
    assert sorted(seen) == [*range(60)]
    x, names = tasks.read_new(task.reader, path, {})
    np.testing.assert_array_equal(x, encoded)
    assert names[-1] == "row 60"
    labels = tasks.read_new_labels(
        task.reader, path, names, task.class_names, {}
    )
    assert labels == [["no", "yes"][label] for label in columns["label"]]


def test_people_of_images_stay_together(pictures, columns):
    path, _ = pictures
    task = tasks.get(path, split_group="who", verbose=False)
    people = [
        {columns["who"][int(name.split()[1]) - 1] for name in part.names}
        for part in task.data.splits.values()
    ]
    assert not people[0] & people[1] and not people[0] & people[2]


def test_people_of_images_are_audited(pictures):
    path, _ = pictures
    assert tasks.get(path).findings == ()
    for file in path.glob("*.arrow"):
        table = pa.ipc.open_stream(file.read_bytes()).read_all()
        table = table.rename_columns(["image", "label", "person"])
        with pa.ipc.new_stream(str(file), table.schema) as writer:
            writer.write_table(table)
    (found,) = tasks.get(path).findings
    assert "--split-group person" in found.advice and found.is_leak
    assert tasks.get(path, split_group="person").findings == ()


def test_an_image_that_is_elsewhere(pictures, tmp_path, columns):
    path, pixels = pictures
    info = (path / "dataset_info.json").read_text()
    images = [{"bytes": as_bytes(p), "path": "x.png"} for p in pixels]
    images[3] = {"bytes": None, "path": "/etc/passwd"}
    new = {"image": images, "label": columns["label"]}
    path = save(tmp_path / "elsewhere", new)
    (path / "dataset_info.json").write_text(info)
    with pytest.raises(ValueError, match="row 4: the data set does not hold"):
        tasks.get(path, verbose=False)
