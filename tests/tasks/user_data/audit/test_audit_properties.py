"""Properties of files and examples that alone predict the class."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

from keras_fpt import tasks
from keras_fpt.tasks.user_data import sequences

pytestmark = pytest.mark.backend_free
SIZE = 24


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def write(folder, save):
    """Writes files of two classes that differ in nothing but a property."""
    for label in "ab":
        (folder / label).mkdir()
        for number in range(SIZE):
            save(folder / label / f"{number}", label == "b")


def telling(task):
    found = [f for f in task.findings if f.kind == "telling-properties"]
    return [(f.message.split(" (")[0], f.is_leak) for f in found]


SOUNDS = {
    "rate": ({"rate": 8000}, "The sampling rate"),
    "channels": ({"channels": 2}, "The number of channels"),
    "samples": ({"subtype": "PCM_24"}, "The kind of samples"),
    "file": ({"suffix": ".flac"}, "The kind of file"),
    "none": ({}, None),
}


@pytest.mark.parametrize("case", SOUNDS)
def test_recording_of_sounds_that_tells_the_class(tmp_path, rng, case):
    changed, name = SOUNDS[case]
    usual = {"rate": 4000, "channels": 1, "subtype": "PCM_16", "suffix": ".wav"}

    def save(path, is_changed):
        chosen = usual | (changed if is_changed else {})
        size = (int(0.1 * chosen["rate"]), chosen["channels"])
        soundfile.write(
            path.with_suffix(chosen["suffix"]),
            rng.normal(size=size) / 10,
            chosen["rate"],
            subtype=chosen["subtype"],
        )

    write(tmp_path, save)
    task = tasks.from_sound_folder(tmp_path, verbose=False)
    assert telling(task) == ([(name, True)] if name else [])
    if name:
        with pytest.raises(ValueError, match=name):
            tasks.from_sound_folder(tmp_path, verbose=False, strict=True)


def test_frequencies_that_no_option_reads_are_not_advised(tmp_path, rng):
    def save(path, is_changed):
        rate = 16000 if is_changed else 8000
        samples = rng.normal(size=rate // 10) / 10
        soundfile.write(path.with_suffix(".wav"), samples, rate)

    write(tmp_path, save)
    task = tasks.from_sound_folder(tmp_path, max_hertz=9000, verbose=False)
    band, *_ = [f for f in task.findings if f.kind == "band"]
    assert "leave those out" in band.advice
    rate, *_ = [f for f in task.findings if f.kind == "telling-properties"]
    assert "--max-hertz 4000" in rate.advice


@pytest.mark.parametrize(
    ("gain_of", "is_found"),
    [
        (lambda _: 8.0, True),
        # Quieter, and up to the largest sample.
        (lambda _: 0.2, False),
        (lambda peak: 1 / peak, False),
    ],
)
@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_clipping_that_tells_the_class(
    tmp_path, rng, gain_of, is_found, suffix
):
    def save(path, is_changed):
        times = np.arange(800) / 4000
        samples = np.sin(2 * np.pi * rng.uniform(100, 900) * times)
        samples = 0.3 * samples + rng.normal(size=800) / 20
        gain = gain_of(np.abs(samples).max()) if is_changed else 1.0
        soundfile.write(path.with_suffix(suffix), gain * samples, 4000)

    write(tmp_path, save)
    task = tasks.from_sound_folder(tmp_path, verbose=False)
    name = "The form of the loudest peaks"
    assert telling(task) == [(name, False)] * is_found


def test_length_of_sounds_that_tells_the_class(tmp_path, rng):
    def save(path, is_long):
        samples = rng.normal(size=rng.integers(400, 600) + 400 * is_long)
        soundfile.write(path.with_suffix(".wav"), samples / 10, 4000)

    write(tmp_path, save)
    task = tasks.from_sound_folder(tmp_path, verbose=False)
    assert telling(task) == [("The number of tokens", False)]
    cut = tasks.from_sound_folder(tmp_path, max_seconds=0.1, verbose=False)
    assert telling(cut) == []


IMAGES = {
    "color": ({"mode": "L"}, "The color", True),
    "gray in colors": ({"mode": "L", "as": "RGB"}, "The color", True),
    "transparency": ({"mode": "RGBA"}, "The kind of pixels", True),
    "file": ({"suffix": ".bmp"}, "The kind of file", True),
    "height": ({"size": (12, 8)}, "The height in pixels", False),
    "width": ({"size": (8, 12)}, "The width in pixels", False),
    "none": ({}, None, False),
}


@pytest.mark.parametrize("case", IMAGES)
def test_making_of_images_that_tells_the_class(tmp_path, rng, case):
    changed, name, is_leak = IMAGES[case]
    usual = {"mode": "RGB", "suffix": ".png", "size": (8, 8)}
    depths = {"RGB": (3,), "RGBA": (4,), "L": ()}

    def save(path, is_changed):
        chosen = usual | (changed if is_changed else {})
        shape = (*chosen["size"], *depths[chosen["mode"]])
        image = Image.fromarray(rng.integers(0, 256, shape, np.uint8))
        image = image.convert(chosen.get("as", chosen["mode"]))
        image.save(path.with_suffix(chosen["suffix"]))

    write(tmp_path, save)
    task = tasks.from_image_folder(tmp_path, verbose=False)
    assert telling(task) == ([(name, is_leak)] if name else [])


@pytest.mark.parametrize("ignored", [(), "t"])
def test_rate_of_recordings_that_tells_the_class(tmp_path, rng, ignored):
    def save(path, is_slow):
        times = np.arange(20) * (0.02 if is_slow else 0.01)
        frame = pd.DataFrame({"t": times, "x": rng.normal(size=20)})
        frame.to_csv(path.with_suffix(".csv"), index=False)

    write(tmp_path, save)
    task = tasks.from_recording_folder(
        tmp_path, ignore_column=ignored, verbose=False
    )
    assert telling(task) == [("The step of the column 't'", True)]


def recorded(path, rng, step_of, size=40):
    """Recordings of 20 rows of two classes, one after the other."""
    parts = []
    for number in range(size):
        label = "ab"[number % 2]
        steps = step_of(label, number)
        frame = pd.DataFrame({"x": rng.normal(size=20)})
        parts.append(
            frame.assign(
                t=np.cumsum(np.broadcast_to(steps, 20)),
                recording=number,
                person=f"p{number // 4}",
                y=label,
            )
        )
    pd.concat(parts).to_csv(path, index=False)
    return str(path)


GROUPS = {
    "groups": {"group_column": "recording"},
    "windows": {"group_column": "recording", "window": 5},
    "people": {"group_column": "recording", "split_group": "person"},
}


@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize("case", GROUPS)
def test_rate_of_groups_of_rows_that_tells_the_class(
    tmp_path, rng, monkeypatch, case, is_large
):
    if is_large:
        monkeypatch.setattr(sequences, "MAX_BYTES_IN_MEMORY", 1000)

    def find(name, step_of):
        path = recorded(tmp_path / f"{name}.csv", rng, step_of)
        more = {"label_column": "y", "time_column": "t", "verbose": False}
        ignored = {"recording", "person"} - {*GROUPS[case].values()}
        return tasks.from_csv(
            path, **more, **GROUPS[case], ignore_column=sorted(ignored)
        )

    def of_class(label, number):
        return 0.02 if label == "b" else 0.01

    def jittered(label, number):
        return of_class(label, number) + rng.normal(0, 0.0005, 20)

    for name, step_of in (("even", of_class), ("jittered", jittered)):
        task = find(name, step_of)
        assert telling(task) == [("The step of the column 't'", True)]
        assert "pandas.DataFrame.resample" in str(task.findings)
    # The same devices for all classes, and events, whose times are content.
    assert telling(find("same", lambda *_: 0.01)) == []
    assert telling(find("devices", lambda _, n: 0.01 + n // 4 % 2 / 100)) == []
    events = find("events", lambda *a: rng.exponential(of_class(*a), 20) + 1e-6)
    assert telling(events) == []


@pytest.mark.parametrize("is_large", [False, True])
def test_rate_of_stretches_of_a_series_that_tells_the_class(
    tmp_path, rng, monkeypatch, is_large
):
    if is_large:
        monkeypatch.setattr(sequences, "MAX_BYTES_IN_MEMORY", 1000)

    def find(name, slow):
        parts, start = [], 0.0
        for number in range(40):
            step = 0.02 if number % 2 and slow else 0.01
            times = start + step * np.arange(1, 21)
            start = times[-1]
            frame = {"t": times, "x": rng.normal(size=20)}
            parts.append(pd.DataFrame(frame).assign(y="ab"[number % 2]))
        path = tmp_path / f"{name}.csv"
        pd.concat(parts).to_csv(path, index=False)
        return tasks.from_csv(
            path, "y", window=5, time_column="t", verbose=False
        )

    assert telling(find("slow", True)) == [("The step of the column 't'", True)]
    assert telling(find("same", False)) == []


@pytest.mark.parametrize("share, is_found", [(1.0, True), (0.5, False)])
def test_lengths_of_arrays_that_tell_the_class(rng, share, is_found):
    y = np.tile([0, 1], 60)
    is_long = np.where(rng.random(120) < share, y, rng.integers(0, 2, 120))
    x = [rng.normal(size=(5 + 4 * each, 2)) for each in is_long]
    task = tasks.from_arrays(x, y, verbose=False)
    assert telling(task) == [("The number of tokens", False)] * is_found
