"""What Python and notebooks show of tasks, models and the package."""

import inspect
import io
import os
import sys

import keras
import pytest
from conftest import gpt2_backbone

import keras_fpt
from keras_fpt.cli.console import console, show_log
from keras_fpt.compat import tensorflow_start_messages
from keras_fpt.studies import sweep
from keras_fpt.tasks import from_arrays

pytestmark = pytest.mark.backend_free


def test_a_task(data):
    x, y = data
    task = from_arrays(x, y, class_names=("no", "<b>"))
    shown = repr(task)
    assert "3 numbers" in shown and "2 classes (no, <b>)" in shown
    assert "lambda" not in shown and "\n" not in shown
    assert "&lt;b&gt;" in task._repr_html_()
    assert "<b>" not in task._repr_html_()


def test_a_task_shows_without_reading_its_data(monkeypatch):
    from keras_fpt.tasks import Stored

    def fail(self):
        raise AssertionError("It was read.")

    monkeypatch.setattr(Stored, "splits", property(fail))
    for name in keras_fpt.tasks.names():
        assert f"<Task {name}" in repr(keras_fpt.tasks.get(name))


def test_a_model():
    model = keras_fpt.FPTClassifier(gpt2_backbone(), num_classes=2, input_dim=3)
    shown, page = repr(model), model._repr_html_()
    assert "GPT2Backbone" in shown and "policy=fpt" in shown
    assert "parameters are trained" in shown
    assert "<td>frozen</td>" in page and "attention" in page


def test_help_is_about_this_package():
    """A backend's base class has a constructor with a docstring of its own."""
    for room in (keras_fpt, keras_fpt.models, keras_fpt.layers):
        for name in dir(room):
            found = getattr(room, name)
            if inspect.isclass(found) and issubclass(found, keras.Layer):
                documented = inspect.getdoc(found.__init__)
                assert documented.startswith("Creates the "), name


def test_the_package_lists_its_public_names():
    names = dir(keras_fpt)
    assert {"FPTClassifier", "runs", "tasks", "sklearn"} <= {*names}
    assert not [name for name in names if name.startswith("_")]
    for name in names:
        assert getattr(keras_fpt, name) is not None


def test_lines_end_between_words_on_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    words = "averyveryverylongword " * 6
    for stream, lines in ((Terminal(), 3), (io.StringIO(), 1)):
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(console, "width", 60)
        show_log()
        console.print(words)
        printed = stream.getvalue().strip().splitlines()
        assert len(printed) == lines
        assert all(set(line.split()) == {words.split()[0]} for line in printed)
    monkeypatch.undo()
    show_log()


def test_what_others_say_while_tensorflow_starts_is_shown(capfd):
    with tensorflow_start_messages.hidden():
        os.write(2, b"2026-01-01 10:00:00.123456: I tensorflow/core: hello\n")
        os.write(2, b"UserWarning: something real\n")
        os.write(2, b"E0000 00:00:1795830947.6 31645 cuda.cc:3] cuInit\n")
    assert capfd.readouterr().err == "UserWarning: something real\n"


def test_time_left_of_a_sweep(monkeypatch):
    clock = sweep._Clock(2)
    monkeypatch.setattr(sweep.time, "monotonic", lambda: clock.began + 600)
    assert clock.left(2, 8) == ""  # What earlier calls have done.
    assert clock.left(4, 8) == "; about 20.0 minutes left"
    assert clock.left(8, 8) == ""
