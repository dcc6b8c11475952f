"""Groups of files by parts of their names."""

import pathlib
import uuid

import numpy as np
import pytest
from PIL import Image

from keras_fpt import tasks
from keras_fpt.tasks.user_data import splitting
from keras_fpt.tasks.user_data.media import file_names
from keras_fpt.tasks.user_data.targets import Labels

pytestmark = pytest.mark.backend_free


def find(names, y, splits=None):
    """The finding about some files' names, or `None`."""
    y = np.asarray(y)
    files = [pathlib.Path(name) for name in names]
    labels = Labels(y, tuple(f"class {i}" for i in range(y.max() + 1)))
    splits = splits or splitting.stratified(y)
    found = file_names.find_groups(files, labels, splits)
    assert len(found) < 2 and not any(each.is_leak for each in found)
    return str(found[0]) if found else None


COLORS = ("red", "blue", "green", "gray", "pink", "black", "white")
SETTINGS = (100, 225, 310, 480, 551, 723, 890)
RNG = np.random.default_rng(0)


def urban_sound(clip, y):
    """Clips of recordings, each of which has one class."""
    recordings = RNG.choice(200_000, 60, replace=False)
    return [
        f"{recordings[2 * (i // 8) + label]}-{label}-0-{i % 8}.wav"
        for i, label in zip(clip, y, strict=True)
    ]


def speech_commands(clip, y):
    """Speakers, who say several words, some of them several times."""
    speakers = [f"{RNG.integers(16**8):08x}" for _ in range(40)]
    chosen = RNG.integers(0, 40, len(y))
    said = {}
    names = []
    for speaker, label in zip(chosen, y, strict=True):
        said[speaker, label] = said.get((speaker, label), -1) + 1
        names.append(f"{speakers[speaker]}_nohash_{said[speaker, label]}.wav")
    return names


def patches(clip, y):
    """Patches of the images of patients, at places on a grid."""
    patients = RNG.choice(np.arange(8000, 17000), 30, replace=False)
    chosen = RNG.choice(30, len(y), p=np.arange(30, 0, -1) / 465)
    x, where = RNG.integers(0, 40, (2, len(y))) * 50 + 1
    return [
        f"{patients[p]}_idx5_x{a}_y{b}_class{label}.png"
        for p, a, b, label in zip(chosen, x, where, y, strict=True)
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (urban_sound, "occurs with one class only"),
        (speech_commands, "do not count the files"),
        (patches, "do not count the files"),
        (
            lambda clip, y: [
                f"subject{i % 12}_trial{i // 12}.csv" for i in clip
            ],
            "of the 12 values of part 1 of the files' names, such as subject",
        ),
        (
            lambda clip, y: [
                f"{'ab'[label]}_p{i % 9:02}_s{i % 2}_{i:03}.png"
                for i, label in zip(clip, y, strict=True)
            ],
            "of the 9 values of part 2 of the files' names, such as p0",
        ),
        (
            lambda clip, y: [f"sub-{i % 9:02}_run-{i // 9}.tsv" for i in clip],
            "of the 9 values of part 2 of the files' names, such as 0",
        ),
        (
            lambda clip, y: [f"video{i // 8}.frame{i % 8}.png" for i in clip],
            "part 1",
        ),
        # Tracks of each class, and their frames; images and their copies.
        (
            lambda clip, y: [f"{i // 6:05}_{i % 6:05}.ppm" for i in clip],
            "counts",
        ),
        (
            lambda clip, y: [
                f"{i // 6}_aug{i % 6 + 1}.png" for i in (2 * clip + y).tolist()
            ],
            "Part 2 counts from the beginning for each of the 50 values of ",
        ),
        # A recording of each class, whose pieces are numbered.
        (
            lambda clip, y: [
                f"rec{label + 2 * (i // 8):03}-{i % 8}.wav"
                for i, label in zip(clip, y, strict=True)
            ],
            "part 1",
        ),
    ],
)
def test_names_of_people_and_recordings_are_found(make, message):
    # 150 files of each of two classes, numbered within their class.
    clip, y = np.tile(np.arange(150), 2), np.repeat([0, 1], 150)
    names = make(clip, y)
    note = find(names, y)
    assert message in note
    number = note.split("part ")[1][0]
    assert f"--split-group part_{number}." in note
    files = [pathlib.Path(name) for name in names]
    groups = file_names.group_numbers(files, [f"part_{number}"])
    splits, _ = splitting.split_examples(
        y, str, splitting.SplitRequest(groups=groups)
    )
    assert find(names, y, splits) is None


@pytest.mark.parametrize(
    "name",
    [
        lambda i, c: f"{('cat', 'dog')[c]}.{i}.jpg",
        lambda i, c: f"{('cat', 'dog')[c]}.{300 * c + i:05}.jpg",
        lambda i, c: f"IMG_{i:04}.JPG",
        lambda i, c: f"image ({i + 1}).png",
        lambda i, c: f"person_{300 * c + i}.png",
        lambda i, c: f"{i}.png",
        # ImageNet: the class, and numbers with gaps.
        lambda i, c: f"n0144076{c}_{RNG.integers(0, 30_000)}.JPEG",
        lambda i, c: f"n0144076{c}_{RNG.integers(0, 90)}_{i}.JPEG",
        lambda i, c: f"{RNG.integers(16**8):08x}.png",
        lambda i, c: f"{RNG.integers(10**9)}_{RNG.integers(16**10):010x}_n.jpg",
        lambda i, c: f"{uuid.UUID(bytes=RNG.bytes(16), version=4)}_{c}.png",
        # A few hexadecimal digits, and a few settings of a machine.
        lambda i, c: f"{RNG.integers(64):03x}-{RNG.integers(16**8):08x}.png",
        lambda i, c: f"{RNG.choice(SETTINGS)}_{i}.png",
        # Dates and times, which the classes may not share.
        lambda i, c: f"{20200101 + 100 * (2 * (i % 5) + c)}_{i}.png",
        lambda i, c: f"2020-{1 + 2 * (i % 6) + c:02}-{i % 28 + 1:02}_{i}.png",
        lambda i, c: f"20{i % 20:02}{i % 12 + 1:02}{i % 28 + 1:02}_{i}.png",
        lambda i, c: f"210{i % 9 + 1}{i % 28 + 1:02}_{i // 40}_{i}.png",
        lambda i, c: f"IMG_20210503_{i // 60:02}{i % 60:02}00.jpg",
        # Sizes, and places on a grid.
        lambda i, c: f"{640 + 7 * (i % 30)}x{480 + 3 * (i % 30)}_{i}.png",
        lambda i, c: f"tile_{256 * (i % 40)}_{512 * (i // 40)}.png",
        lambda i, c: f"{i // 15}_{i % 15}_{256 * i}.png",
        lambda i, c: f"{i % 70}_{i // 70 * 9 + c}.png",
        # A frame each few milliseconds of each video of a class.
        lambda i, c: f"{33 * (i % 40) + i % 40 // 3}_{i // 40}.png",
        # A finer class, and a color.
        lambda i, c: f"{'abcdefghijklmnopqrst'[2 * (i % 10) + c]}_{i}.png",
        lambda i, c: f"{RNG.choice(COLORS)}_{i}.png",
        # Titles.
        lambda i, c: "-".join(RNG.choice([*"abcdefg123"], i % 6 + 1)) + ".png",
        lambda i, c: "---.png",
    ],
)
def test_what_is_no_group_is_not_noted(name):
    y = np.repeat([0, 1], [200, 150])
    numbers = [*range(200), *range(150)]
    names = [name(i, c) for i, c in zip(numbers, y.tolist(), strict=True)]
    assert find(names, y) is None


def test_counters_of_many_classes_are_no_groups():
    # Classes of very different sizes, of which a few files are there.
    names, y = [], []
    for label in range(60):
        size = 1300 if label % 10 else 30_000
        for number in RNG.choice(size, 40, replace=False):
            names.append(f"n{label:08}_{number}.JPEG")
            y.append(label)
    assert find(names, y) is None
    assert find([name.split("_")[1] for name in names], y) is None


def test_times_of_frames_are_no_groups():
    # Longer and shorter videos, one of which has lost its beginning.
    frames = [(k, v) for v in range(8) for k in range(45 - 4 * v)][3:]
    names = [f"{33 * k + k // 3}_{v}.png" for k, v in frames]
    assert find(names * 2, np.repeat([0, 1], len(names))) is None


@pytest.fixture
def pets(tmp_path):
    """Pictures of 12 animals of two classes, six of each."""
    rng = np.random.default_rng(0)
    for animal in range(12):
        folder = tmp_path / "pets" / ("cat", "dog")[animal % 2]
        folder.mkdir(parents=True, exist_ok=True)
        for shot in range(6):
            pixels = rng.integers(0, 255, (8, 8), np.uint8)
            name = f"{101 + 7 * animal}-{shot}.png"
            Image.fromarray(pixels).save(folder / name)
    return tmp_path / "pets"


def test_parts_of_names_keep_files_in_one_split(pets):
    task = tasks.get(pets)
    (found,) = task.findings
    assert found.kind == "groups-across-splits" and not found.is_leak
    assert "Each of the 12 values of part 1 of the files' names" in str(found)
    assert tasks.get(pets, strict=True).findings == task.findings
    for options in ({}, {"folds": 3, "fold": 2}):
        apart = tasks.get(pets, split_group="part_1", **options)
        assert apart.findings == ()
        animals = [
            {pathlib.Path(name).name.split("-")[0] for name in part.names}
            for part in apart.data.splits.values()
        ]
        assert sum(map(len, animals)) == len(set.union(*animals)) == 12
    both = tasks.get(pets, split_group=["part_1", "part_2"])
    assert len(np.unique(both.data.splits["train"].groups)) > 40


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("animal", "such as part_1, but received 'animal'. Of `101-0.png`, "),
        ("part_0", "part_1 is 101, part_2 is 0."),
        ("part_3", "there is no part_3 of the file's name. Of `101-0.png`"),
    ],
)
def test_a_part_that_does_not_exist(pets, name, message):
    with pytest.raises(ValueError, match=message):
        tasks.get(pets, split_group=name)


def test_a_uuid_is_one_part():
    name = f"{uuid.UUID(int=5, version=4)}_left.png"
    assert len(file_names.parts_of(pathlib.Path(name))) == 2


def test_a_table_of_files_says_what_to_add(pets):
    files = [f for f in sorted(pets.rglob("*.png"))]
    rows = [f"{f.parent.name}/{f.name},{f.parent.name}" for f in files]
    (pets / "pets.csv").write_text("\n".join(["file,kind", *rows]))
    task = tasks.get(
        str(pets / "pets.csv"), file_column="file", label_column="kind"
    )
    (found,) = task.findings
    assert "write that part into a column of the table" in found.advice
