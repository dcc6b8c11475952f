"""One logger, `keras_fpt`: seen by default, silenced by its own means."""

import logging
import subprocess
import sys

import pytest

from keras_fpt import distribution, logs

pytestmark = pytest.mark.backend_free
PROGRAM = """
import logging, sys
{before}
import keras_fpt
logger = logging.getLogger("keras_fpt.runs.training")
logger.info("a message")
logger.warning("a warning")
"""


@pytest.mark.parametrize(
    ("before", "out", "err"),
    [
        ("", "a message\na warning\n", ""),
        (
            "logging.getLogger('keras_fpt').setLevel(logging.WARNING)",
            "a warning\n",
            "",
        ),
        # A program that has a handler for it is left alone.
        (
            "logging.getLogger('keras_fpt').addHandler("
            "logging.StreamHandler(sys.stderr))",
            "",
            "a message\na warning\n",
        ),
    ],
)
def test_a_library_user_sees_messages_and_can_silence_them(before, out, err):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(before=before)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path), "KERAS_BACKEND": "torch"},
    )
    assert done.stdout == out
    assert err in done.stderr


def test_a_stricter_level_stays_stricter():
    logging.getLogger("keras_fpt").setLevel(logging.ERROR)
    try:
        with logs.only_warnings("keras_fpt.runs"):
            room = logging.getLogger("keras_fpt.runs")
            assert room.getEffectiveLevel() == logging.ERROR
    finally:
        logging.getLogger("keras_fpt").setLevel(logging.INFO)


def test_messages_of_one_room_are_silenced_for_a_while(messages):
    logger = logging.getLogger("keras_fpt.runs.training")
    with logs.only_warnings("keras_fpt.runs"):
        logger.info("one")
        logger.warning("two")
        logging.getLogger("keras_fpt.tasks").info("three")
    logger.info("four")
    assert messages == ["two", "three", "four"]


@pytest.mark.parametrize(("index", "seen"), [(0, ["one"]), (1, [])])
def test_only_the_first_process_speaks(index, seen, messages, monkeypatch):
    import contextlib

    class Engine:
        num_replicas = num_processes = 2
        process_index = index

        @contextlib.contextmanager
        def connect(self, kind):
            yield self

    monkeypatch.setattr(distribution, "_engine", Engine)
    with distribution.scope("data_parallel"):
        logging.getLogger("keras_fpt.runs.training").info("one")
    assert messages == seen


def test_nothing_but_the_command_line_prints():
    import ast
    import pathlib

    import keras_fpt

    package = pathlib.Path(keras_fpt.__file__).parent
    printing = {
        path.relative_to(package).parts[0]
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    }
    # A worker of a sweep prints the error that ends it.
    assert printing <= {"cli", "studies"}
