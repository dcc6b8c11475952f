"""Strings that look like numbers, in tables with decimal commas."""

import pytest

from keras_fpt import tasks
from keras_fpt.tasks.user_data import sequences

pytestmark = pytest.mark.backend_free


@pytest.mark.parametrize("limit", [2**27, 100])
def test_strings_keep_their_commas(tmp_path, monkeypatch, limit):
    monkeypatch.setenv("KERAS_FPT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sequences, "MAX_BYTES_IN_MEMORY", limit)
    rows = [
        f"{text};{i},5;{'ab'[i % 2]}"
        for i, text in enumerate(["1,5", "2,2-diol", "12,75", "CC,O"] * 10)
    ]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["text;mass;y", *rows]))
    task = tasks.user_data.from_path(
        path, text_column="text", label_column="y", verbose=False
    )
    assert "." not in task.reader.alphabet
    x, _ = task.reader.read(path)
    letters = [task.reader.alphabet[i] for i in next(sequences.each(x))]
    assert "".join(letters) == "1,5"
    # The numbers of the same table have decimal commas.
    task = tasks.from_csv(path, "y", ignore_column="text", verbose=False)
    assert task.reader.mean[0] == pytest.approx(20, abs=3)
