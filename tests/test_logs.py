"""One logger, `keras_fpt`: seen by default, silenced by its own means."""

import logging
import re
import subprocess
import sys

import pytest

from keras_fpt import distribution, logs

pytestmark = pytest.mark.backend_free
CASES = [
    ("", "a message\na warning\n", ""),
    ("logger.setLevel(logging.WARNING)", "a warning\n", ""),
    # A program that has a handler for it is left alone.
    (
        "logger.addHandler(logging.StreamHandler(sys.stderr))",
        "",
        "a message\na warning\n",
    ),
]
# One process for all: it takes long to start.
PROGRAM = """
import importlib, logging, sys
import keras_fpt
logger = logging.getLogger("keras_fpt")
for number, before in enumerate(sys.argv[1:]):
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)
    exec(before)
    importlib.reload(keras_fpt)
    for stream in (sys.stdout, sys.stderr):
        print("case", number, file=stream)
    logging.getLogger("keras_fpt.runs.training").info("a message")
    logging.getLogger("keras_fpt.runs.training").warning("a warning")
"""


def test_a_library_user_sees_messages_and_can_silence_them():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *(before for before, _, _ in CASES)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path), "KERAS_BACKEND": "torch"},
    )
    _, *outputs = re.split(r"case \d\n", done.stdout)
    _, *errors = re.split(r"case \d\n", done.stderr)
    assert outputs == [out for _, out, _ in CASES]
    assert errors == [err for _, _, err in CASES]


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
