import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from keras_fpt import tasks
from keras_fpt.tasks.user_data.media import image_folders

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


# === As a viewer shows them ===


def pair(tmp_path, make, suffix="png", count=10):
    """Two classes of images that a function of class and number makes."""
    for number in range(count):
        for index, kind in enumerate(("circle", "square")):
            path = tmp_path / "own" / kind / f"{number:02}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            image, arguments = make(index, number)
            image.save(path, **arguments)
    return tmp_path / "own"


def drawn(task, path):
    """The image that the reader's tokens of a file stand for, of 8 bits."""
    tokens, _ = task.reader.read(path)
    return np.round(task.picture(tokens[0]) * 255).astype("uint8")


def gray(index, number, mode="L"):
    pixels = np.random.default_rng(number).integers(0, 255, (8, 8, 4), "uint8")
    pixels[:4] //= 2 + index
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", [2, 6, 8])
def test_images_are_turned_as_their_files_say(tmp_path, suffix, orientation):
    def make(index, number):
        pixels = np.zeros((8, 16), "uint8")
        pixels[: 4 + index, : 6 + number] = 200
        exif = Image.Exif()
        exif[0x0112] = orientation
        return Image.fromarray(pixels), {"exif": exif}

    folder = pair(tmp_path, make, suffix)
    task = tasks.from_image_folder(folder, verbose=False)
    path = folder / "circle" / f"03.{suffix}"
    mode = "RGB" if suffix == "webp" else "L"
    with path.open("rb") as file:
        shown = ImageOps.exif_transpose(Image.open(file)).convert(mode)
    assert shown.size == ((16, 8) if orientation == 2 else (8, 16))
    np.testing.assert_array_equal(drawn(task, path), np.asarray(shown))
    # Readers of version 0.1.0 read as before. Pillow itself turns a TIFF.
    if suffix == "tif":
        return
    old = image_folders.ImageReader(8, 16, task.reader.channels, 4)
    as_stored = Image.open(path).convert(mode)
    as_stored = as_stored.resize((16, 8), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(
        np.squeeze(old.load(path)), np.asarray(as_stored)
    )


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P", "RGB key", "L key"])
@pytest.mark.parametrize("background", ["white", "#1030a0"])
def test_transparent_pixels_show_the_background(tmp_path, mode, background):
    def make(index, number):
        image = gray(index, number, "RGBA")
        if mode in ("RGBA", "LA"):
            return image.convert(mode), {}
        if mode in ("P", "PA"):
            palette = image.convert("RGB").quantize(8)
            return palette, {"transparency": 3}
        image = image.convert(mode.split()[0])
        return image, {"transparency": image.getpixel((1, 2))}

    folder = pair(tmp_path, make)
    task = tasks.from_image_folder(folder, background=background, verbose=False)
    path = folder / "square" / "04.png"
    image = Image.open(path)
    behind = Image.new("RGBA", image.size, background)
    seen = Image.alpha_composite(behind, image.convert("RGBA"))
    seen = seen.convert("L" if task.reader.channels == 1 else "RGB")
    np.testing.assert_array_equal(drawn(task, path), np.asarray(seen))
    entry = tasks.reader_to_json(task.reader)
    assert tasks.reader_from_json(entry) == task.reader
    assert entry["background"] == background


def test_shapes_that_only_transparency_draws(tmp_path, capsys):
    def make(index, number):
        pixels = np.zeros((8, 8, 4), "uint8")
        pixels[1 + index : 6, 1 : 3 + number % 3, 3] = 255
        return Image.fromarray(pixels), {}

    folder = pair(tmp_path, make)
    task = tasks.from_image_folder(folder)
    assert "transparency: in 20 images, on white" in capsys.readouterr().out
    assert task.findings == ()
    assert drawn(task, folder / "circle" / "00.png").std() > 50
    dark = tasks.from_image_folder(folder, background="black", verbose=False)
    (finding,) = [f for f in dark.findings if f.kind == "constant-images"]
    assert finding.message.startswith("20 images have the same color every")
    with pytest.raises(ValueError, match="background .* received 'whyte'"):
        tasks.from_image_folder(folder, background="whyte")


@pytest.mark.parametrize(
    "dtype, suffix, low, high",
    [
        ("uint16", "png", 0, 4095),
        ("uint16", "tif", 30000, 31000),
        ("int32", "tif", -1000, 2000),
        ("float32", "tif", -0.5, 0.25),
    ],
)
def test_deep_pixels_are_scaled_by_the_training_range(
    tmp_path, dtype, suffix, low, high, capsys
):
    def make(index, number):
        generator = np.random.default_rng(number + 100 * index)
        pixels = generator.uniform(low, high, (8, 8))
        pixels[0, :2] = low, high
        return Image.fromarray(pixels.astype(dtype)), {}

    folder = pair(tmp_path, make, suffix)
    task = tasks.from_image_folder(folder)
    assert f"pixels: {low:g} to {high:g}, scaled" in capsys.readouterr().out
    path = folder / "circle" / f"02.{suffix}"
    pixels = np.asarray(Image.open(path)).astype(float)
    expected = np.round((pixels - low) / (high - low) * 255)
    np.testing.assert_array_equal(drawn(task, path), expected)
    assert len(np.unique(task.data.splits["train"].x)) > 200
    reader = tasks.reader_from_json(tasks.reader_to_json(task.reader))
    far = np.full((8, 8), high + (high - low)).astype(dtype)
    Image.fromarray(far).save(path)
    assert reader.load(path).min() == 255


@pytest.mark.parametrize("channels", [3, 4])
def test_colors_of_16_bits_are_scaled_by_the_training_range(
    tmp_path, channels, capsys
):
    generator = np.random.default_rng(0)
    colors = generator.integers(300, 1301, (20, 8, 8, channels), "uint16")
    colors[:, 0, :2, :3] = [[300], [1300]]
    colors[..., 3:] = 65535
    colors[:, 7, 7, 3:] = 0
    for number, pixels in enumerate(colors):
        path = tmp_path / ("circle", "square")[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(tf.io.encode_png(pixels).numpy())
    task = tasks.from_image_folder(tmp_path, background="#ffffff")
    assert "pixels: 300 to 1300, scaled" in capsys.readouterr().out
    assert not task.findings
    expected = np.round((colors[2, ..., :3] - 300.0) / 1000 * 255)
    if channels == 4:
        expected[7, 7] = 255
    reader = tasks.reader_from_json(tasks.reader_to_json(task.reader))
    found = reader.load(tmp_path / "circle" / "2.png")
    np.testing.assert_array_equal(found, expected)
    # As a viewer shows it.
    exif = Image.Exif()
    exif[274] = 6
    chunk = exif.tobytes().removeprefix(b"Exif\0\0")
    content = (tmp_path / "circle" / "2.png").read_bytes()
    end = content.index(b"IDAT") - 4
    block = b"eXIf" + chunk
    block = len(chunk).to_bytes(4, "big") + block
    block += zlib.crc32(block[4:]).to_bytes(4, "big")
    turned = content[:end] + block + content[end:]
    (tmp_path / "circle" / "2.png").write_bytes(turned)
    found = reader.load(tmp_path / "circle" / "2.png")
    np.testing.assert_array_equal(found, np.rot90(expected, -1))


def test_pixels_that_are_not_finite_are_named(tmp_path):
    def make(index, number):
        pixels = np.full((8, 8), number, "float32")
        if number == 3:
            pixels[0, 0] = np.nan
        return Image.fromarray(pixels), {}

    folder = pair(tmp_path, make, "tif")
    with pytest.raises(ValueError, match="03.tif` has pixels that are not fin"):
        tasks.from_image_folder(folder, verbose=False)


def test_dark_images_of_16_bits_next_to_those_of_8_are_a_finding(folder):
    pixels = np.arange(192, dtype="uint16").reshape(16, 12)
    for number in range(20):
        save(folder / "dark" / f"deep{number}.png", pixels)
    task = tasks.from_image_folder(folder, verbose=False)
    assert "mixed-depths" in {finding.kind for finding in task.findings}


def test_files_of_several_frames_and_lost_bits_are_findings(tmp_path):
    def make(index, number):
        image, more = gray(index, number), gray(1 - index, number)
        return image, {"save_all": True, "append_images": [more]}

    folder = pair(tmp_path, make, "gif")
    task = tasks.from_image_folder(folder, verbose=False)
    (finding,) = task.findings
    assert finding.kind == "frames"
    assert "20 images have more than one frame or page" in str(finding)
    path = folder / "circle" / "00.gif"
    first = np.asarray(Image.open(path).convert("RGB"))
    np.testing.assert_array_equal(
        drawn(task, path).reshape(8, 8, -1), first[..., : task.reader.channels]
    )
    deep = np.full((8, 8, 3), 900, "uint16")
    deep[:, :4] = 60000
    content = tf.io.encode_png(deep).numpy()
    (folder / "circle" / "deep.png").write_bytes(content)
    task = tasks.from_image_folder(folder, verbose=False)
    assert [f.kind for f in task.findings] == ["frames", "lost-bits"]


def test_cmyk_images_are_as_pillow_shows_them(tmp_path):
    folder = pair(
        tmp_path, lambda i, n: (gray(i, n, "RGB").convert("CMYK"), {}), "jpg"
    )
    task = tasks.from_image_folder(folder, verbose=False)
    path = folder / "circle" / "01.jpg"
    expected = np.asarray(Image.open(path).convert("RGB"))
    np.testing.assert_array_equal(drawn(task, path), expected)
