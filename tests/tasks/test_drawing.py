import io

import numpy as np
import pytest
from PIL import Image

from keras_fpt import tasks
from keras_fpt.tasks import drawing

pytestmark = pytest.mark.backend_free


def series(width, length=12, count=60):
    x = np.random.default_rng(0).normal(size=(count, length, width))
    x[0] = 7  # in no panel, most likely
    return tasks.from_arrays(x, np.arange(count) % 3, verbose=False)


def panels_of(task):
    figure = drawing._draw_figure(task)
    return [axes for axes in figure.axes if axes.get_title()]


def write_table(path):
    rows = [f"{i % 2},{i // 6},{i},{-i}" for i in range(120)]
    path.write_text("\n".join(["kind,trial,north,east $x$", *rows, ""]))
    return path


@pytest.mark.parametrize("width", [1, 3, 4])
def test_a_few_channels_are_lines_on_one_scale(width):
    task = series(width)
    panels = panels_of(task)
    examples = drawing._examples(task, 8)
    assert len(panels) == len(examples) == 5
    limits = {panel.get_ylim() for panel in panels}
    assert len(limits) == 1
    for panel, example in zip(panels, examples, strict=True):
        drawn = np.stack([line.get_ydata() for line in panel.lines], axis=1)
        np.testing.assert_allclose(drawn, example.tokens)
        assert not panel.images


def test_more_channels_are_lines_one_above_the_other():
    task = series(12)
    panel = panels_of(task)[0]
    assert len(panel.lines) == 12
    names = [label.get_text() for label in panel.get_yticklabels()]
    assert names[:2] == ["channel 1", "channel 2"]
    steps = -np.diff(panel.get_yticks())
    np.testing.assert_allclose(steps, steps[0])
    tokens = drawing._examples(task, 8)[0].tokens
    for place, line in enumerate(panel.lines):
        lowered = line.get_ydata() + place * steps[0]
        np.testing.assert_allclose(lowered, tokens[:, place], atol=1e-5)


def test_spectra_are_heat_maps_in_one_scale_of_colors():
    task = series(64)
    panels = panels_of(task)
    images = [panel.images[0] for panel in panels]
    assert len({image.get_clim() for image in images}) == 1
    tokens = drawing._examples(task, 8)[2].tokens
    np.testing.assert_allclose(images[2].get_array(), tokens.T)


def test_titles_name_the_class_and_the_group(tmp_path):
    path = write_table(tmp_path / "trials.csv")
    path.write_text(path.read_text().replace("kind,", "parity,"))
    task = tasks.from_csv(
        path, "parity", window=3, group_column="trial", verbose=False
    )
    panels = panels_of(task)
    names = task.data.splits["validation"].names
    for panel in panels:
        kind, name = panel.get_title().split("\n")
        assert kind in ("0", "1") and name in names
        assert name.startswith("trial ")
    # Every class is among the panels.
    assert {panel.get_title()[0] for panel in panels} == {"0", "1"}


def test_cells_of_a_row_are_named(tmp_path):
    path = write_table(tmp_path / "rows.csv")
    task = tasks.from_csv(path, "kind", ignore_column="trial", verbose=False)
    panel = panels_of(task)[0]
    ticks = [label.get_text() for label in panel.get_xticklabels()]
    assert ticks == ["north", "east $x$"]
    assert drawing._draw_figure(task).savefig(io.BytesIO()) is None


def test_long_names_keep_their_end(tmp_path):
    for number in range(20):
        folder = tmp_path / "own" / ("a" * 60 + str(number % 2))
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.full((8, 8), 9 * number, "uint8")
        Image.fromarray(pixels).save(folder / f"{number}.png")
    task = tasks.from_image_folder(tmp_path / "own", verbose=False)
    title = panels_of(task)[0].get_title()
    assert title.split("\n")[1].startswith("...a")
    assert title.endswith(".png")
    assert len(title.split("\n")[1]) < 40


def test_a_picture_of_the_users_own_is_not_replaced(tmp_path):
    path = tmp_path / "rows.png"
    Image.new("L", (4, 4)).save(path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="keras-fpt did not write it"):
        tasks.draw_examples(series(2), path)
    assert path.read_bytes() == before
    tasks.draw_examples(series(2), tmp_path / "own.png")
    tasks.draw_examples(series(2), tmp_path / "own.png")
    with pytest.raises(FileExistsError, match="would replace the input"):
        tasks.picture_output(
            tmp_path / "own.png", True, inputs=[tmp_path / "own.png"]
        ).check()
