import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance, ImageOps
from scipy.io import wavfile

from keras_fpt import tasks
from keras_fpt.tasks.user_data.audit import audit_overlaps
from keras_fpt.tasks.user_data.strings import strings

pytestmark = pytest.mark.backend_free


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def find(x, y, **options):
    task = tasks.from_arrays(x, y, verbose=False, **options)
    return {finding.kind: finding for finding in task.findings}


def count(finding):
    """The first number of a finding's message."""
    return int(finding.message.split()[0].replace(",", ""))


def walks(rng, n=100, tokens=30):
    return rng.normal(size=(n, tokens, 2)).cumsum(1).astype("float32")


@pytest.mark.parametrize("kind", ["floats", "ragged", "tokens", "images"])
def test_copies_are_counted(tmp_path, rng, kind):
    x = walks(rng)
    if kind == "tokens":
        x = rng.integers(0, 20, (100, 30))
    # Each of the first 20 examples is there twice.
    y = np.tile([0, 1], 60)
    split = ["train"] * 60 + ["validation"] * 20 + ["test"] * 40
    x = np.concatenate([x, x[:20]])
    x, label = (x, y) if kind != "ragged" else ([*x], y)
    if kind == "ragged":
        x = [row[: 10 + i % 20] for i, row in enumerate(x)]
    if kind == "images":
        pixels = rng.integers(0, 256, (100, 8, 8, 3), np.uint8)
        pixels = np.concatenate([pixels, pixels[:20]])
        for i, (part, array) in enumerate(zip(split, pixels, strict=True)):
            folder = tmp_path / part / "ab"[label[i]]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(folder / f"{i:03}.png")
        task = tasks.from_image_folder(tmp_path, verbose=False)
        found = {finding.kind: finding for finding in task.findings}
    else:
        found = find(x, label, split=split)
    assert list(found) == ["copies-across-splits"]
    assert found["copies-across-splits"].is_leak
    assert count(found["copies-across-splits"]) == 20


def test_contradicting_labels_are_counted(rng):
    x = walks(rng)
    x = np.concatenate([x, x[:10]])
    y = np.tile([0, 1], 55)
    y[100:] = 1 - y[:10]
    found = find(x, y)["contradicting-labels"]
    assert count(found) == 20
    assert "more than 90.9%" in found.message
    assert not found.is_leak


@pytest.mark.parametrize("values", [2, 3])
def test_examples_of_few_values_are_equal_by_chance(rng, values):
    y = rng.integers(0, 2, 500)
    assert find(rng.integers(0, values, (500, 5)), y) == {}
    slow = (rng.random((500, 12, 1)) < 0.1).cumsum(1) % values
    assert find(slow.astype("float32"), y) == {}


def test_near_copies_are_found(rng):
    x = walks(rng, 200)
    noise = rng.normal(size=(40, 30, 2)) * 1e-3
    x = np.concatenate([x, x[:40] + noise.astype("float32")])
    found = find(x, rng.integers(0, 2, 240))
    assert list(found) == ["near-copies-across-splits"]
    assert found["near-copies-across-splits"].is_leak


@pytest.mark.parametrize("length", [12, 50])
def test_ramps_of_other_heights_are_no_copies(rng, length):
    starts, slopes = rng.normal(size=(2, 240, 1, 1))
    ramps = starts + np.sign(slopes) * np.arange(length)[:, None]
    split = ["train"] * 200 + ["test"] * 40
    y = rng.integers(0, 2, 240)
    for heights in (1, rng.uniform(0.3, 0.8, (240, 1, 1))):
        x = (heights * ramps).astype("float32")
        assert "near-copies-across-splits" not in find(x, y, split=split)


def test_near_copies_at_another_gain_are_found(rng):
    x = walks(rng, 200, 40)
    gain = rng.uniform(0.3, 0.8, (40, 1, 1)).astype("float32")
    split = ["train"] * 200 + ["test"] * 40
    y = rng.integers(0, 2, 240)
    found = find(np.concatenate([x, gain * x[:40] + 1]), y, split=split)
    assert count(found["near-copies-across-splits"]) > 35
    assert "if scaled" in found["near-copies-across-splits"].message
    apart = np.concatenate([x, gain * walks(rng, 40, 40)])
    found = find(apart, y, split=split)
    assert "near-copies-across-splits" not in found


def test_phases_of_one_wave_are_no_near_copies(rng):
    for n in (60, 600):
        phase = rng.random((n, 1)) * 2 * np.pi
        x = np.sin(np.arange(40) * 0.3 + phase).astype("float32")
        assert find(x, rng.integers(0, 2, n)) == {}


def windows(rows, size, stride):
    return np.lib.stride_tricks.sliding_window_view(rows, size, 0)[
        ::stride
    ].transpose(0, 2, 1)


@pytest.mark.parametrize("stride", [1, 5, 25])
@pytest.mark.parametrize("kind", ["floats", "integers", "shuffled"])
def test_windows_that_share_rows_are_found(rng, stride, kind):
    rows = rng.normal(size=(100 * stride + 100, 2)).cumsum(0)
    if kind == "integers":
        rows = (rows * 5).round()
    x = windows(rows.astype("float32"), 40, stride)
    if kind == "shuffled":
        x = rng.permutation(x)
    splits = {"train": np.arange(0, len(x), 2), "test": np.arange(1, len(x), 2)}
    (found,) = audit_overlaps.find_shared_tokens(x, splits)
    assert found.kind == "shared-rows-across-splits" and found.is_leak
    assert count(found) >= 0.7 * len(splits["test"])


def test_windows_split_in_blocks_share_nothing(rng):
    rows = rng.normal(size=(2000, 2)).cumsum(0).astype("float32")
    x = windows(rows, 40, 10)
    half = len(x) // 2
    splits = {"train": np.arange(half - 4), "test": np.arange(half, len(x))}
    assert audit_overlaps.find_shared_tokens(x, splits) == []


def test_groups_in_several_splits_are_found(rng, tmp_path):
    from keras_fpt.tasks.user_data.audit import audit_examples
    from keras_fpt.tasks.user_data.audit.checked import Checked

    splits = {
        "train": np.arange(60),
        "validation": np.arange(60, 70),
        "test": np.arange(70, 100),
    }
    y = rng.integers(0, 2, 100)
    checked = Checked(walks(rng), y, splits, groups=np.arange(100) % 10)
    (found,) = audit_examples.find_in_examples(checked)
    assert found.kind == "groups-across-splits" and found.is_leak
    assert count(found) == 10
    apart = checked._replace(groups=np.arange(100) // 10)
    assert audit_examples.find_in_examples(apart) == []


def test_constant_examples_are_counted(rng):
    x = walks(rng)
    x[4], x[8] = [3.0, 1.0], 2.0
    found = find(x, rng.integers(0, 2, 100))
    assert list(found) == ["constant-examples"]
    assert count(found["constant-examples"]) == 2
    assert "number 5" in found["constant-examples"].message


def test_a_test_split_unlike_train_is_found(rng):
    x = walks(rng, 200)
    y = rng.integers(0, 2, 200)
    split = np.repeat(["train", "test"], [140, 60])
    assert find(x, y, split=split.tolist()) == {}
    x[140:] *= 2
    found = find(x, y, split=split.tolist())
    assert list(found) == ["train-unlike-test"]
    assert "most by " in found["train-unlike-test"].message


def test_the_column_in_which_test_is_unlike_train_is_named(rng, tmp_path):
    frame = pd.DataFrame(rng.normal(size=(200, 3)), columns=["a", "b", "c"])
    frame["y"] = rng.integers(0, 2, 200)
    frame["split"] = np.repeat(["train", "test"], [140, 60])
    frame.loc[140:, "b"] += 2
    frame.to_csv(tmp_path / "mine.csv", index=False)
    task = tasks.from_csv(tmp_path / "mine.csv", "y", split_column="split")
    messages = {f.kind: f.message for f in task.findings}
    assert "most by the column 'b' (0.9" in messages["train-unlike-test"]


def test_near_copies_of_strings_and_of_sequences_of_other_lengths(rng):
    texts = ["".join(rng.choice([*"ACGT"], 40)) for _ in range(60)]
    changed = [
        text[:30] + "ACGT"["CGTA".index(text[30])] + text[31:]
        for text in texts[:10]
    ]
    changed += [text[:5] + "A" + text[5:] for text in texts[10:20]]
    y = rng.integers(0, 2, 80).astype(str)
    split = ["train"] * 60 + ["test"] * 20
    task = tasks.from_strings([*texts, *changed], y, split=split, verbose=False)
    messages = {f.kind: f.message for f in task.findings}
    assert messages["near-copies-across-splits"].startswith("19 of 20")
    apart = ["".join(rng.choice([*"ACGT"], 40)) for _ in range(20)]
    task = tasks.from_strings([*texts, *apart], y, split=split, verbose=False)
    assert task.findings == ()
    walks_ = [
        np.cumsum(rng.normal(size=(n, 2)), axis=0)
        for n in rng.integers(30, 60, 60)
    ]
    near = [walk + rng.normal(0, 1e-3, walk.shape) for walk in walks_[:20]]
    found = find([*walks_, *near], y, split=split)
    assert "near-copies-across-splits" in found
    apart = [
        np.cumsum(rng.normal(size=(n, 2)), axis=0)
        for n in rng.integers(30, 60, 20)
    ]
    found = find([*walks_, *apart], y, split=split)
    assert "near-copies-across-splits" not in found


def photo(rng):
    """A smooth image, as photos are."""
    pixels = rng.integers(0, 256, (5, 5, 3), np.uint8)
    return Image.fromarray(pixels).resize((64, 64), Image.Resampling.BICUBIC)


CHANGES = {
    "smaller": lambda image: image.resize((40, 40)),
    "mirrored": ImageOps.mirror,
    "upside down": ImageOps.flip,
    "turned": lambda image: image.rotate(90),
    "turned and mirrored": lambda image: ImageOps.mirror(image.rotate(90)),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "less contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.6),
}


@pytest.mark.parametrize("change", [*CHANGES, "compressed", "another"])
def test_versions_of_one_image_are_near_copies(tmp_path, rng, change):
    for number in range(60):
        folder = tmp_path / "ab"[number % 2]
        folder.mkdir(exist_ok=True)
        first = second = photo(rng)
        if change in CHANGES:
            second = CHANGES[change](first)
        if change == "another":
            second = photo(rng)
        names = rng.integers(1, 10**9, 2)
        first.save(folder / f"{names[0]}.jpg", quality=95)
        second.save(
            folder / f"{names[1]}.jpg",
            quality=60 if change == "compressed" else 95,
        )
    task = tasks.from_image_folder(tmp_path, verbose=False)
    kinds = [finding.kind for finding in task.findings]
    expected = ["near-copies-across-splits"] * (change != "another")
    assert kinds == expected
    if change in ("mirrored", "turned", "darker"):
        assert "if mirrored, turned or brighter" in task.findings[0].message


@pytest.mark.parametrize("is_copy", [True, False])
def test_versions_of_one_sound_are_near_copies(tmp_path, rng, is_copy):
    for number in range(50):
        folder = tmp_path / "ab"[number % 2]
        folder.mkdir(exist_ok=True)
        first, second = np.cumsum(rng.normal(size=(2, 4000)), axis=1)
        if is_copy:
            second = first * rng.uniform(0.3, 0.8)
        for sound in (first, second):
            samples = (100 * sound).clip(-30000, 30000).astype("<i2")
            name = rng.integers(1, 10**9)
            wavfile.write(folder / f"{name}.wav", 8000, samples)
    task = tasks.from_sound_folder(tmp_path, verbose=False)
    kinds = [finding.kind for finding in task.findings]
    assert kinds == ["near-copies-across-splits"] * is_copy
    assert not is_copy or "if scaled" in task.findings[0].message


PAIRS = str.maketrans("ACGT", "TGCA")


@pytest.mark.parametrize(
    "kind, is_found",
    [
        ("overlapping", True),
        ("reverse", True),
        ("parts", True),
        ("apart", False),
        ("same beginning", False),
        ("repeats", False),
    ],
)
def test_pieces_of_strings_in_several_splits(tmp_path, rng, kind, is_found):
    genome = "".join(rng.choice([*"ACGT"], 10_000))
    texts = [genome[80 * i : 80 * i + 80] for i in range(120)]
    if kind == "overlapping":
        texts = [genome[20 * i : 20 * i + 80] for i in range(120)]
    if kind == "reverse":
        texts[60:] = [text[::-1].translate(PAIRS) for text in texts[:60]]
    if kind == "parts":
        texts[60:] = [text[5:70] for text in texts[:60]]
    if kind == "same beginning":
        texts = [genome[:50] + text[:30] for text in texts]
    if kind == "repeats":
        texts = [
            text[: 20 + i % 9] + "ACG" * 20 for i, text in enumerate(texts)
        ]
    frame = pd.DataFrame({"dna": texts, "y": rng.integers(0, 2, 120)})
    frame.to_csv(tmp_path / "dna.csv", index=False)
    task = strings.from_string_table(
        tmp_path / "dna.csv", text_column="dna", label_column="y", verbose=False
    )
    kinds = [finding.kind for finding in task.findings]
    assert kinds == ["near-copies-across-splits"] * is_found


def test_texts_of_one_template_are_no_copies(tmp_path, rng):
    words = rng.integers(0, 10**6, (120, 3))
    frame = pd.DataFrame(
        {
            "text": [
                f"{a} was seen with {b} and treated with {c}"
                for a, b, c in words
            ],
            "y": rng.integers(0, 2, 120),
        }
    )
    frame.to_csv(tmp_path / "texts.csv", index=False)
    task = strings.from_string_table(
        tmp_path / "texts.csv",
        text_column="text",
        label_column="y",
        verbose=False,
    )
    assert task.findings == ()
