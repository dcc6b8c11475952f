import os
import stat

import numpy as np
import pytest

from keras_fpt.files import (
    Output,
    atomic,
    checkpoints,
    outputs,
    refuse_links,
    safe_name,
)
from keras_fpt.files.spreadsheets import escape_formula, escape_markdown

pytestmark = pytest.mark.backend_free
MARK = rb"\Amade by us"


@pytest.fixture
def umask():
    before = os.umask(0o077)
    yield
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def output(path, **settings):
    return Output(path, MARK, **settings)


def test_new_empty_and_own_files_are_written(tmp_path):
    path = tmp_path / "out.csv"
    for content in ("", "made by us 1", "made by us 2"):
        path.write_text(content)
        output(path).write("made by us é")
        assert path.read_bytes() == "made by us é".encode()
    path.unlink()
    output(path).write(b"1")
    assert path.read_bytes() == b"1"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_of_another_program_is_kept_unless_asked(tmp_path):
    path = tmp_path / "mine.png"
    path.write_text("my holiday")
    for step in (output(path).check, lambda: output(path).write("x")):
        with pytest.raises(FileExistsError, match=r"mine.png.*--overwrite"):
            step()
    assert path.read_text() == "my holiday"
    output(path, overwrite=True).write("x")
    assert path.read_text() == "x"


@pytest.mark.parametrize("kind", ["same", "link", "hard link", "within"])
def test_an_input_is_never_replaced(tmp_path, kind):
    data, path = tmp_path / "data", tmp_path / "out.csv"
    data.mkdir()
    source = data / "in.csv"
    source.write_text("mine")
    if kind == "link":
        path.symlink_to(source)
    elif kind == "hard link":
        os.link(source, path)
    else:
        path = source
    given = data if kind == "within" else source
    with pytest.raises(FileExistsError, match="would replace the input"):
        output(path, inputs=[given], overwrite=True).check()
    assert source.read_text() == "mine"


def test_a_link_is_followed_and_stays(tmp_path):
    (tmp_path / "folder").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "folder" / "file")
    output(link).write("1")
    assert link.is_symlink() and link.read_text() == "1"


def test_streams_are_written_to_and_devices_refused(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    output(pipe).write("rows")
    assert os.read(reader, 10) == b"rows"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    output(os.devnull).write("rows")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    with pytest.raises(FileExistsError, match="/dev/zero.*device"):
        output("/dev/zero", overwrite=True).check()


def test_no_place_for_the_file_is_named_before_work_starts(
    tmp_path, monkeypatch
):
    with pytest.raises(FileNotFoundError, match="no/such"):
        output(tmp_path / "no" / "such" / "p.csv").check()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        output(tmp_path).check()

    def refuse(dir):
        raise OSError(30, "Read-only file system", dir)

    monkeypatch.setattr(outputs.tempfile, "TemporaryFile", refuse)
    with pytest.raises(PermissionError, match="Read-only"):
        output(tmp_path / "p.csv").check()


@pytest.mark.parametrize("name", ["encode", "fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_no_part(
    tmp_path, monkeypatch, name
):
    path = tmp_path / "out.csv"
    path.write_text("made by us")

    def fail(*_):
        raise OSError(28, "No space left on device")

    owner = outputs.atomic if name == "encode" else os
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, fail)
        with pytest.raises(OSError, match="No space"):
            output(path).write("x" * 1000)
    assert path.read_text() == "made by us"
    assert list(tmp_path.iterdir()) == [path]


def test_the_umask_is_obeyed_and_permissions_are_kept(tmp_path, umask):
    new, old = tmp_path / "new", tmp_path / "old"
    old.touch()
    old.chmod(0o640)
    for path in (new, old):
        atomic.write_text(path, "x")
    assert (mode(new), mode(old)) == (0o600, 0o640)
    os.umask(0o022)  # safetensors makes files that only their owner reads.
    checkpoints.write_arrays(tmp_path / "arrays", {"a": np.ones(3)}, {})
    assert mode(tmp_path / "arrays") == 0o644


def test_long_names_have_short_temporary_ones(tmp_path):
    for name in ("n" * 251, "é" * 120):
        atomic.write_text(tmp_path / name, "x")
        assert (tmp_path / name).read_text() == "x"


def test_names_that_are_not_utf_8_are_written_as_escapes(tmp_path):
    atomic.write_text(tmp_path / "x", "l\udce9gende é")
    assert (tmp_path / "x").read_bytes() == rb"l\udce9gende " + "é".encode()


def test_what_is_set_aside_is_kept(tmp_path):
    path = tmp_path / "a.json"
    kept = set()
    for content in ("1", "2"):
        path.write_text(content)
        kept.add(atomic.set_aside(path).read_text())
    assert kept == {"1", "2"} and not path.exists()


def test_links_in_a_folder_are_refused_and_the_folder_may_be_one(tmp_path):
    folder, victim = tmp_path / "run", tmp_path / "victim"
    (folder / "checkpoints").mkdir(parents=True)
    victim.mkdir()
    (folder / "mine").symlink_to(victim)  # No name of the package's.
    (tmp_path / "link").symlink_to(folder)
    refuse_links(tmp_path / "link", ["checkpoints", "log"])
    for place in ("log", "checkpoints/1"):
        (folder / place).symlink_to(victim)
        with pytest.raises(FileExistsError, match=f"{place}` is a link"):
            refuse_links(folder, ["checkpoints", "log"])
        (folder / place).unlink()


@pytest.mark.parametrize(
    "text", ["../../x", "/x", "a/b\\c", "a\0b", "l\udce9", "n" * 300, "é" * 200]
)
def test_any_text_makes_a_name(tmp_path, text):
    name = safe_name(text)
    (tmp_path / f"{name}-curves.svg").touch()
    assert len(list(tmp_path.iterdir())) == 1
    assert safe_name("bit_xor.2-é") == "bit_xor.2-é"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("+x", "'+x"),
        ("-2+3", "'-2+3"),
        ("@sum", "'@sum"),
        ("\t=1", "'\t=1"),
        ("-1", "-1"),
        ("+1.5e-3", "+1.5e-3"),
        ("row 1", "row 1"),
        ("", ""),
    ],
)
def test_no_cell_of_a_csv_file_begins_a_formula(text, cell):
    assert escape_formula(text) == cell


def test_no_cell_of_a_markdown_table_is_markup():
    cell = escape_markdown("a|b\n<script>[x](y)`z` bit_xor")
    assert cell == r"a\|b &lt;script&gt;\[x\](y)\`z\` bit_xor"
