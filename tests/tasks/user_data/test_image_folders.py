import numpy as np
import pytest
from PIL import Image

from keras_fpt import tasks

pytestmark = pytest.mark.backend_free


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path):
    """40 gray images of 16 x 12: bright ones and dark ones."""
    generator = np.random.default_rng(0)
    for number in range(40):
        kind = ("bright", "dark")[number % 2]
        pixels = generator.integers(0, 128, (16, 12), "uint8")
        pixels += 128 * (kind == "bright")
        save(tmp_path / "photos" / kind / f"{number}.png", pixels)
    return tmp_path / "photos"


def test_patches_of_the_images_as_they_are(folder):
    task = tasks.from_image_folder(folder, verbose=False)
    assert task.name == "photos"
    assert (task.sequence_length, task.input_dim) == (12, 16)
    assert task.class_names == ("bright", "dark")
    splits = task.data.splits
    for split, dataset in zip(
        ("validation", "test"), task.datasets(5)[1:], strict=True
    ):
        tokens = np.concatenate([x for x, _ in dataset])
        labels = np.concatenate([y for _, y in dataset])
        names = splits[split].names
        for name, token, label in zip(names, tokens, labels, strict=True):
            pixels = np.asarray(Image.open(folder / name))
            back = np.round(task.picture(token) * 255).astype("uint8")
            np.testing.assert_array_equal(back, pixels)
            assert name.split("/")[0] == task.class_names[label]


def test_other_images_are_resized(folder, capsys):
    save(folder / "dark" / "large.jpg", np.zeros((50, 80, 3), "uint8"))
    task = tasks.from_image_folder(folder)
    assert (task.sequence_length, task.input_dim) == (64, 48)
    out = capsys.readouterr().out
    assert "32 x 32 pixels, color, resized from 16 x 12 to 50 x 80" in out
    small = tasks.from_image_folder(folder, 8, patch_size=2, verbose=False)
    assert (small.sequence_length, small.input_dim) == (16, 12)


def test_images_of_16_bits_are_scaled(folder):
    pixels = np.arange(192, dtype="uint16").reshape(16, 12) * 257
    save(folder / "dark" / "deep.png", pixels)
    task = tasks.from_image_folder(folder, verbose=False)
    tokens, _ = task.reader.read(folder / "dark" / "deep.png")
    back = np.round(task.picture(tokens[0]) * 255)
    np.testing.assert_array_equal(back, pixels // 257)


def test_pixels_of_32_bits_are_refused(folder):
    save(folder / "dark" / "deep.tif", np.zeros((16, 12), "float32"))
    with pytest.raises(ValueError, match="deep.tif` has pixels of 32 bits"):
        tasks.from_image_folder(folder, verbose=False)


def test_folders_can_say_the_split(folder, tmp_path):
    for split, numbers in (("train", range(20)), ("test", range(6))):
        for number in numbers:
            for kind in "ab":
                save(
                    tmp_path / "own" / split / kind / f"{number}.png",
                    np.full((8, 8), number, "uint8"),
                )
    task = tasks.from_image_folder(tmp_path / "own", verbose=False)
    sizes = [len(examples.y) for examples in task.data.splits.values()]
    assert sizes == [36, 4, 12]
    assert all(
        name.startswith("test") for name in task.data.splits["test"].names
    )


def test_new_images_are_read_alike(folder):
    task = tasks.from_image_folder(folder, verbose=False)
    x, names = task.reader.read(folder)
    test = task.data.splits["test"]
    expected = np.concatenate([x for x, _ in task.datasets(8).test])
    places = [names.index(name) for name in test.names]
    np.testing.assert_array_equal(x[places], expected)
    one, names = task.reader.read(folder / "dark" / "1.png")
    assert one.shape == (1, 12, 16) and names == ["1.png"]


def test_files_that_are_no_images_are_named(folder):
    (folder / "dark" / "notes.txt").write_text("not an image")
    with pytest.raises(ValueError, match="dark/notes.txt` is not an image"):
        tasks.from_image_folder(folder, verbose=False)


def test_a_truncated_image_is_named(folder):
    path = folder / "bright" / "0.png"
    path.write_bytes(path.read_bytes()[:90])
    with pytest.raises(ValueError, match="bright/0.png` is not an image"):
        tasks.from_image_folder(folder, verbose=False)


def test_folders_that_cannot_be_used(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder .*nowhere"):
        tasks.from_image_folder(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="dark` has no subfolders"):
        tasks.from_image_folder(folder / "dark")
    with pytest.raises(ValueError, match="Patches of 5 pixels"):
        tasks.from_image_folder(folder, 32, patch_size=5)
    with pytest.raises(ValueError, match="image_size of at least 1"):
        tasks.from_image_folder(folder, 0)
    (folder / "dark" / "nested").mkdir()
    with pytest.raises(
        ValueError, match="nested` is a folder within the folder of a class"
    ):
        tasks.from_image_folder(folder)
    (folder / "dark" / "nested").rmdir()
    (folder / "gray").mkdir()
    with pytest.raises(ValueError, match="The class 'gray' has no file"):
        tasks.from_image_folder(folder)
