"""The tests that docs/promises.md names exist."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))

pytestmark = pytest.mark.backend_free


def test_the_page_names_tests():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
    headings = ("| ---", "| guarantee")
    guarantees = [row for row in rows if not row.startswith(headings)]
    assert guarantees and all("`tests/" in row for row in guarantees)


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_each_one_exists(path, name):
    text = (ROOT / path).read_text(encoding="utf-8")
    pattern = rf"^(def|class) {name}\b" if name else r"\bdef test_|TestCase"
    assert re.search(pattern, text, re.MULTILINE)
