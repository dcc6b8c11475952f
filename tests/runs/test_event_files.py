"""What TensorBoard reads of a run."""

import re
import types

import pytest

from keras_fpt import tasks
from keras_fpt.models import NoAttentionError
from keras_fpt.runs import RunConfig, board_pictures, train
from keras_fpt.runs.event_files import EventFiles

pytestmark = pytest.mark.backend_free
WRITE = board_pictures.write


@pytest.fixture
def read():
    """Reads a folder as TensorBoard does."""
    from tensorboard.backend.event_processing import event_multiplexer

    def read(folder):
        found = event_multiplexer.EventMultiplexer(size_guidance={"tensors": 0})
        return found.AddRunsFromDirectory(str(folder)).Reload()

    return read


@pytest.fixture
def pictures(monkeypatch):
    monkeypatch.setattr(board_pictures, "write", WRITE)


def tags(found):
    return {run: set(kinds["tensors"]) for run, kinds in found.Runs().items()}


def test_a_run_has_curves_on_one_card_and_pictures(
    sums_file, preset, tmp_path, read, pictures, messages
):
    from tensorboard.util import tensor_util

    config = RunConfig(sums_file, preset, steps=30, batch_size=20)
    metrics = train(config, tmp_path)
    assert not [m for m in messages if "Warning" in m]
    found = read(tmp_path)
    # Runs of the same tags are drawn on one card.
    assert tags(found) == {
        "tensorboard": {"_hparams_/session_start_info"},
        "tensorboard/train": {"loss", "accuracy"},
        "tensorboard/validation": {"loss", "accuracy", "attention"},
        "tensorboard/test": {"loss", "accuracy", "confusions"},
    }
    (event,) = found.Tensors("tensorboard/test", "accuracy")
    value = tensor_util.make_ndarray(event.tensor_proto)
    assert value == pytest.approx(metrics["test_accuracy"])
    assert event.step == 30
    steps = found.Tensors("tensorboard/validation", "loss")
    assert [event.step for event in steps] == [25, 30]
    for split, name in (("validation", "attention"), ("test", "confusions")):
        (event,) = found.Tensors(f"tensorboard/{split}", name)
        width, height, *drawn = event.tensor_proto.string_val
        assert len(drawn) == 1 and drawn[0][:4] == b"\x89PNG"
        assert int(width) > 300 and int(height) > 200


def test_settings_are_of_the_folder_that_holds_the_splits(tmp_path, read):
    from tensorboard.plugins.hparams import metadata

    board = EventFiles(tmp_path, {"learning_rate": 0.5, "arm": "fpt", "x": {}})
    board.write(1, {"train_loss": 2.0, "validation_loss": 3.0, "seconds": 1.0})
    found = read(tmp_path)
    assert tags(found) == {
        ".": {metadata.SESSION_START_INFO_TAG},
        "train": {"loss"},
        "validation": {"loss"},
    }
    content = found.SummaryMetadata(".", metadata.SESSION_START_INFO_TAG)
    start = metadata.parse_session_start_info_plugin_data(
        content.plugin_data.content
    )
    assert start.hparams["learning_rate"].number_value == 0.5
    assert start.hparams["arm"].string_value == "fpt"
    assert set(start.hparams) == {"learning_rate", "arm"}


def test_a_picture_that_fails_is_a_warning(messages):
    drawn = []

    class Board:
        def write_picture(self, step, split, name, png):
            drawn.append((step, split, name))

    class Model:
        def attention_scores(self, x):
            raise self.error

    run, model = types.SimpleNamespace(task=tasks.get("bit_xor")), Model()
    classes = {"names": ["a", "b"], "confusion": [[3, 1], [0, 4]]}
    for model.error, words in (
        (MemoryError("too large"), "draw the attention .*: too large"),
        # An LSTM has none, and nobody is warned.
        (NoAttentionError("none"), None),
    ):
        WRITE(Board(), run, model, {"test_classes": classes}, 7)
        assert drawn == [(7, "test", "confusions")]
        assert len(messages) == (words is not None)
        assert words is None or re.search(words, messages[0])
        drawn.clear()
        messages.clear()
    WRITE(Board(), run, model, {}, 7)
    assert drawn == []
