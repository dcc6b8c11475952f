"""Text files are UTF-8, whatever the locale says."""

import ast
import pathlib

import pytest

import keras_fpt

pytestmark = pytest.mark.backend_free
PACKAGE = pathlib.Path(keras_fpt.__file__).parent
# Functions of that name that are not Python's own.
OTHERS = (
    "os.open",
    "Image.open",
    "gzip.open",
    "lmdb.open",
    "archive.open",  # Of a zip file, and of a table in an archive: bytes.
    "source.open",
)


def in_the_locale(source):
    """The lines that read or write text in the encoding of the locale."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        function = ast.unparse(node.func)
        arguments = [ast.unparse(argument) for argument in node.args]
        is_open = function.rpartition(".")[-1] == "open"
        is_binary = any("b" in a for a in arguments if a[0] in "'\"")
        is_text = (is_open and not is_binary and function not in OTHERS) or (
            function.endswith(".read_text") and not arguments
        )
        if is_text and "encoding" not in {k.arg for k in node.keywords}:
            yield node.lineno


def test_text_in_the_locales_encoding_is_found():
    source = "open('x')\nopen('x', 'rb')\nx.read_text()\nx.open('a')"
    assert sorted(in_the_locale(source)) == [1, 3, 4]


def test_text_is_utf_8_in_every_locale():
    found = {
        path.relative_to(PACKAGE).as_posix(): lines
        for path in PACKAGE.rglob("*.py")
        if (lines := list(in_the_locale(path.read_text(encoding="utf-8"))))
    }
    assert found == {}
