import pathlib
import sys

import numpy as np
import pytest

from keras_fpt import cli, tasks
from keras_fpt.reports import attention_maps, attention_share
from keras_fpt.runs import RunConfig, attention_drawing, load_trained, train

pytestmark = pytest.mark.backend_free


@pytest.fixture(scope="module")
def folder(preset, small_evaluations, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    config = RunConfig("bit_xor", preset, steps=2, batch_size=20)
    train(config, folder)
    return folder


@pytest.mark.parametrize(("block", "panels"), [(None, 2), (1, 2)])
def test_it_draws_what_the_model_attends_to(folder, block, panels, tmp_path):
    path = tmp_path / "attention.png"
    drawn = attention_maps.attention_map(folder, path, 3, block)
    assert drawn.shape == (panels, 10, 10)
    np.testing.assert_allclose(drawn.sum(-1), 1, atol=1e-5)
    assert path.read_bytes()[:4] == b"\x89PNG"
    run, model = load_trained(folder)
    (x, _), *_ = run.task.held_out("validation", 4).as_numpy_iterator()
    scores = model.attention_scores(x, average_heads=block is None)[:, 3]
    expected = scores if block is None else scores[block]
    np.testing.assert_allclose(drawn, expected, atol=1e-6)


def test_the_share_of_attention_on_the_answer(folder):
    share = attention_share(folder)
    run, model = load_trained(folder)
    (x, _), *_ = run.task.held_out("validation", 50).as_numpy_iterator()
    scores = model.attention_scores(x)
    expected = [
        np.mean([block[:, 5 + i, i] for i in range(5)]) for block in scores
    ]
    np.testing.assert_allclose(share.blocks, expected, rtol=1e-5)
    # The tokens that answer see themselves and all before them.
    assert share.uniform == pytest.approx(np.mean(1 / np.arange(6, 11)))
    assert f"uniform attention would be {share.uniform:.1%}" in str(share)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"example": 10**6}, "no validation example 1000000: .* 0 to"),
        ({"example": -1}, "no validation example -1"),
        ({"block": 2}, "a block from 0 to 1 but received 2"),
        ({"block": -1}, "a block from 0 to 1 but received -1"),
    ],
)
def test_what_is_not_there(folder, arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        attention_maps.attention_map(folder, tmp_path / "a.png", **arguments)


def test_the_command_line_draws_it(
    folder, preset, tmp_path, monkeypatch, capsys
):
    path = tmp_path / "heads.png"
    # Its preset has moved.
    moved = pathlib.Path(preset).rename(tmp_path / "moved")
    arguments = ["attention", folder, "-o", path, "--block", 0]
    arguments += ["--preset", moved]
    monkeypatch.setattr(sys, "argv", ["keras-fpt", *map(str, arguments)])
    try:
        with pytest.raises(SystemExit) as stop:
            cli.main()
    finally:
        moved.rename(preset)
    assert stop.value.code == 0 and path.is_file()
    assert (
        "Attention of 2 heads of block 0, drawn to" in capsys.readouterr().out
    )


def test_tokens_have_names():
    xor, memory = tasks.get("bit_xor"), tasks.get("bit_memory")
    bits = np.array([[1.0], [-1.0]])
    assert attention_drawing.token_labels(xor, bits) == ["1", "-1"]
    assert attention_drawing.token_labels(memory, np.zeros((3, 50))) == [*"012"]
    proteins = tasks.get("remote_homology")
    labels = attention_drawing.token_labels(proteins, np.array([1, 2]))
    assert labels == [proteins.symbols[1], proteins.symbols[2]]
