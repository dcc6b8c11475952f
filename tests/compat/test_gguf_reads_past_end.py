"""Fails when the gguf package checks the lengths in a file."""

import subprocess
import sys

import pytest

from keras_fpt.compat.gguf_reads_past_end import open_checked

gguf = pytest.importorskip("gguf")
pytestmark = pytest.mark.backend_free


@pytest.fixture
def path(tmp_path):
    """A file with a list that claims to have 2**40 numbers."""
    path = tmp_path / "long.gguf"
    writer = gguf.GGUFWriter(path, "gpt2")
    writer.add_array("numbers", [1, 2, 3])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    content = path.read_bytes()
    start = content.index(b"numbers") + len(b"numbers") + 8
    length = content[start : start + 8]
    assert int.from_bytes(length, "little") == 3
    path.write_bytes(
        content[:start] + (2**40).to_bytes(8, "little") + content[start + 8 :]
    )
    return path


def test_the_fault_is_still_there(path):
    # It does not end, and takes more and more memory.
    code = f"import gguf; print('read'); gguf.GGUFReader({str(path)!r})"
    with pytest.raises(subprocess.TimeoutExpired) as caught:
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, timeout=5
        )
    assert b"read" in caught.value.stdout


def test_the_workaround_says_where_the_file_ends(path):
    with pytest.raises(ValueError, match="it ends at byte"):
        open_checked(str(path))
