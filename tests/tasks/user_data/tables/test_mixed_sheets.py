"""Workbooks whose postal codes are partly text and partly numbers."""

import openpyxl
import pytest

from keras_fpt import tasks

pytestmark = pytest.mark.backend_free


def write(path, codes):
    book = openpyxl.Workbook()
    book.active.append(["zip", "v", "y"])
    for i in range(40):
        row = [codes[i % len(codes)], i * i % 17 + 0.5, "ab"[i % 2]]
        book.active.append(row)
    book.save(path)
    return path


@pytest.mark.parametrize(
    ("codes", "is_mixed"),
    [
        (["02139", 2139, 98765], True),
        (["02139", "01234"], False),
        ([2139, 98765], False),
        (["12", 13], False),
    ],
)
def test_zeros_in_front_that_may_be_cut(tmp_path, messages, codes, is_mixed):
    tasks.from_csv(write(tmp_path / "table.xlsx", codes), "y")
    text = "\n".join(messages)
    assert ("column 'zip' mixes text such as '02139'" in text) == is_mixed
    assert ("format the whole column as text" in text) == is_mixed
