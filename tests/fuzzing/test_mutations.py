"""Files with a few changed bytes, for every parser."""

import contextlib
import pathlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzzing import parsers

pytestmark = pytest.mark.backend_free
# Numbers at which lengths and offsets go wrong.
ODD = [b"\0", b"\xff" * 4, b"\xff\xff\xff\x7f", b"\xff" * 8, b"[[[", b"-1"]


@st.composite
def mutations(draw, content):
    """A valid file, with bytes changed, left out, repeated or cut off."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(len(content) - 1, 0)))
        length = draw(st.sampled_from([0, 1, 4, 8, 64]))
        new = draw(
            st.one_of(
                st.sampled_from(ODD),
                st.binary(max_size=8),
                st.just(content[start : start + length] * 2),
            )
        )
        content = content[:start] + new + content[start + length :]
    return content[: draw(st.sampled_from([None, None, len(content) // 2]))]


@pytest.mark.parametrize("name", parsers.PARSERS)
def test_a_valid_file_is_read(name, tmp_path):
    assert parsers.parse(name, parsers.valid(name), tmp_path) or name == "gguf"


@pytest.mark.parametrize("name", parsers.PARSERS)
def test_a_changed_file_is_read_or_refused(name, tmp_path_factory):
    folder = tmp_path_factory.mktemp(name)

    @settings(
        max_examples=30,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def run(data):
        content = data.draw(mutations(parsers.valid(name)))
        with contextlib.chdir(folder):
            parsers.parse(name, content, folder)

    run()
    # Nothing but the file that was read.
    (file,) = pathlib.Path(folder).iterdir()
    assert file.name == "file" + parsers.PARSERS[name][0]
