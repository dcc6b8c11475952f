import json
import os
import pickle

import hypothesis.extra.numpy as arrays
import lmdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_fpt.tasks import tape

pytestmark = pytest.mark.backend_free

RECORDS = [
    {"primary": "MKV", "protein_length": 3, "fold_label": 0, "id": "d1asha_"},
    {"primary": "ACDW", "protein_length": 4, "fold_label": 1194, "id": "d2"},
    {"primary": "GG", "protein_length": 2, "fold_label": 7},
]


def path_of(tmp_path, suffix):
    folder = tmp_path / "remote_homology"
    folder.mkdir(exist_ok=True)
    return folder / f"remote_homology_valid{suffix}"


def write_json(tmp_path, records):
    path_of(tmp_path, ".json").write_text(json.dumps(records))


def write_lmdb(tmp_path, values, subdir=True):
    """Writes pickled or other values; `num_examples` is their number."""
    values = {str(n): value for n, value in enumerate(values)}
    write_keys({"num_examples": len(values)} | values, tmp_path, subdir)


def write_keys(values, tmp_path, subdir=True):
    path = str(path_of(tmp_path, ".lmdb"))
    with (
        lmdb.open(path, subdir=subdir, map_size=2**24) as environment,
        environment.begin(write=True) as transaction,
    ):
        for key, value in values.items():
            if not isinstance(value, bytes):
                value = pickle.dumps(value, 4)
            transaction.put(key.encode(), value)


def read(tmp_path):
    return tape.read_split(tmp_path, "valid")


@pytest.mark.parametrize("kind", ["json", "lmdb folder", "lmdb file"])
def test_read_split(tmp_path, kind):
    if kind == "json":
        write_json(tmp_path, RECORDS)
    else:
        write_lmdb(tmp_path, RECORDS, subdir=kind == "lmdb folder")
    proteins = read(tmp_path)
    assert [protein[:3] for protein in proteins] == [
        ("d1asha_", "MKV", 0),
        ("d2", "ACDW", 1194),
        ("2", "GG", 7),
    ]
    assert proteins[1].where.endswith(f".{kind[:4]}`, record 1 (d2)")


def test_json_and_lmdb_of_the_real_data_are_the_same(real_data, tmp_path):
    folder = real_data / "tape" / "remote_homology"
    proteins = {}
    for suffix in (".json", ".lmdb"):
        path = path_of(tmp_path, suffix)
        path.symlink_to(folder.resolve() / path.name)
        proteins[suffix] = [protein[:3] for protein in read(tmp_path)]
        path.unlink()
    assert len(proteins[".json"]) == 477
    assert proteins[".json"] == proteins[".lmdb"]


def test_json_is_preferred(tmp_path):
    write_lmdb(tmp_path, RECORDS)
    write_json(tmp_path, RECORDS[:1])
    assert len(read(tmp_path)) == 1


def test_lmdb_is_left_as_it_was(tmp_path):
    write_lmdb(tmp_path, RECORDS)
    path = path_of(tmp_path, ".lmdb")
    (path / "lock.mdb").unlink()
    for _ in range(2):
        read(tmp_path)
    assert os.listdir(path) == ["data.mdb"]


def test_missing_files_say_what_is_expected(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        read(tmp_path)
    message = str(error.value)
    assert f"`{tmp_path / 'remote_homology'}`" in message
    assert "remote_homology_valid.json or .lmdb" in message
    assert "https://github.com/songlab-cal/tape" in message


GOOD = {"primary": "MK", "fold_label": 3, "id": "d1"}


@pytest.mark.parametrize("write", [write_json, write_lmdb])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"primary": None}, "expected primary to be a string .* found None"),
        ({"primary": [1, 2]}, r"expected primary .* found \[1, 2\]"),
        ({"fold_label": 1195}, "from 0 to 1194 but found 1195"),
        ({"fold_label": -1}, "but found -1"),
        ({"fold_label": "3"}, "but found '3'"),
        ({"fold_label": 3.0}, "but found 3.0"),
        ({"fold_label": True}, "but found True"),
        ({"fold_label": [1, 2]}, r"but found \[1, 2\]"),
    ],
)
def test_wrong_fields(tmp_path, write, change, message):
    write(tmp_path, [GOOD, GOOD | change])
    with pytest.raises(ValueError, match=rf"record 1 \(d1\): .*{message}"):
        read(tmp_path)


@pytest.mark.parametrize("write", [write_json, write_lmdb])
@pytest.mark.parametrize("field", ["primary", "fold_label"])
def test_missing_fields(tmp_path, write, field):
    record = {k: v for k, v in GOOD.items() if k != field}
    write(tmp_path, [GOOD, record])
    with pytest.raises(
        ValueError, match=rf"record 1 \(d1\): there is no field '{field}'"
    ):
        read(tmp_path)


@pytest.mark.parametrize("write", [write_json, write_lmdb])
def test_records_must_be_objects_and_some(tmp_path, write):
    write(tmp_path, [GOOD, "MKV"])
    with pytest.raises(ValueError, match="record 1: expected an object"):
        read(tmp_path)


@pytest.mark.parametrize("write", [write_json, write_lmdb])
def test_a_file_without_records(tmp_path, write):
    write(tmp_path, [])
    with pytest.raises(ValueError, match="_valid.* has no records"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'[{"primary": "MK', "is not JSON"),
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"primary": "MK"}', "expected a list of records but found a dict"),
    ],
)
def test_malformed_json(tmp_path, content, message):
    path_of(tmp_path, ".json").write_bytes(content)
    with pytest.raises(ValueError, match=f"_valid.json`.* {message}"):
        read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"x" * 10_000, None])
def test_an_lmdb_folder_with_something_else(tmp_path, content):
    path = path_of(tmp_path, ".lmdb")
    path.mkdir()
    if content is not None:
        (path / "data.mdb").write_bytes(content)
    with pytest.raises(ValueError, match="_valid.lmdb` is not an LMDB"):
        read(tmp_path)


@pytest.mark.parametrize("size", [5_000, 8_192, 20_000])
def test_an_lmdb_file_that_is_cut_off(tmp_path, size):
    write_lmdb(tmp_path, RECORDS * 200)
    path = path_of(tmp_path, ".lmdb") / "data.mdb"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match="_valid.lmdb` is cut off"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"0": GOOD}, "there is no record num_examples"),
        ({"num_examples": 2, "0": GOOD}, "there is no record 1"),
        ({"num_examples": "2"}, "num_examples to be a number .* '2'"),
        ({"num_examples": -1}, "num_examples to be a number .* -1"),
        ({"num_examples": b""}, "record num_examples: the pickle cannot"),
    ],
)
def test_an_lmdb_with_wrong_keys(tmp_path, values, message):
    write_keys(values, tmp_path)
    with pytest.raises(ValueError, match=f"_valid.lmdb`.* {message}"):
        read(tmp_path)


@given(st.data())
def test_a_truncated_pickle(data):
    protocol = data.draw(st.integers(0, 5))
    pickled = pickle.dumps(GOOD | {"other": np.arange(5)}, protocol)
    end = data.draw(st.integers(0, len(pickled) - 1))
    with pytest.raises(ValueError, match="^record 5: the pickle cannot be"):
        tape.unpickle(pickled[:end], "record 5")


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text()
    | st.binary()
    | st.sets(st.integers())
    | st.frozensets(st.text()),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(), inner)
    ),
    max_leaves=10,
)


@given(plain, st.integers(0, 5))
def test_plain_values_are_admitted(value, protocol):
    assert tape.unpickle(pickle.dumps(value, protocol), "here") == value


DTYPES = ["bool", "int8", "<i8", ">i4", "uint16", "<f4", ">f8", "c8", "<U3"]


@given(
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: arrays.arrays(
            dtype, arrays.array_shapes(min_dims=0, min_side=0, max_side=4)
        )
    ),
    st.sampled_from("CF"),
    st.integers(0, 5),
)
def test_arrays_of_plain_numbers_are_admitted(array, order, protocol):
    array = np.asarray(array, order=order)
    pickled = pickle.dumps(array, protocol)
    read = tape.unpickle(pickled, "here")
    assert read.dtype == pickle.loads(pickled).dtype
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_with_axes_in_any_order_are_admitted(protocol):
    array = np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2)
    read = tape.unpickle(pickle.dumps(array, protocol), "here")
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_numpy_1_are_admitted(protocol):
    array = np.arange(6.0).reshape(2, 3)
    pickled = pickle.dumps((array, np.int64(3)), min(protocol, 3))
    assert b"numpy._core.multiarray" in pickled
    pickled = pickled.replace(b"numpy._core", b"numpy.core")
    read, number = tape.unpickle(pickled, "here")
    np.testing.assert_array_equal(read, array)
    assert number == 3


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "label",
    [np.int64(7), np.int32(7), np.array(7), np.array([7])],
    ids=["int64", "int32", "0-d", "1-d"],
)
def test_a_record_with_arrays(tmp_path, label, protocol):
    record = {
        "primary": "MK",
        "evolutionary": np.ones((2, 20), np.float32),
        "fold_label": label,
        "id": b"d1",
    }
    write_lmdb(tmp_path, [pickle.dumps(record, protocol)])
    assert read(tmp_path)[0][:3] == ("d1", "MK", 7)


class Calls:
    """Is pickled as the call of a function."""

    def __init__(self, function, *arguments, state=None):
        self.call = (function, arguments, state)

    def __reduce__(self):
        return self.call[: 2 if self.call[2] is None else 3]


def hostile_values(file):
    """Values that would make `file` if they were run, by what they name."""
    write = f"open({str(file)!r}, 'w').close()"
    return {
        "posix.system": Calls(os.system, f"touch {file}"),
        "io.open": Calls(open, str(file), "w"),
        "builtins.eval": Calls(eval, write),
        "builtins.exec": {"deep": [({"er": Calls(exec, write)},)]},
        "builtins.getattr": Calls(getattr, "", "join"),
        "numpy.save": Calls(np.save, str(file), 1),
    }


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("name", sorted(hostile_values("")))
def test_a_hostile_pickle_is_refused_and_does_not_run(tmp_path, name, protocol):
    file = tmp_path / "made"
    hostile = hostile_values(file)[name]
    record = pickle.dumps(GOOD | {"other": hostile}, protocol)
    if protocol == 2:  # made for Python 2
        name = name.replace("builtins", "__builtin__")
    write_lmdb(tmp_path, [GOOD, record])
    with pytest.raises(
        ValueError, match=rf"_valid.lmdb`, record 1: .* it names {name}\."
    ):
        read(tmp_path)
    assert not file.exists()


def test_a_hostile_number_of_examples_does_not_run(tmp_path):
    file = tmp_path / "made"
    hostile = hostile_values(file)["posix.system"]
    write_keys({"num_examples": hostile}, tmp_path)
    with pytest.raises(ValueError, match="record num_examples: .*system"):
        read(tmp_path)
    assert not file.exists()


def test_a_name_with_dots_is_refused():
    def text(value):
        return b"\x8c" + bytes([len(value)]) + value

    pickled = b"\x80\x04" + text(b"numpy") + text(b"ndarray.tofile") + b"\x93."
    with pytest.raises(ValueError, match="it names numpy.ndarray.tofile"):
        tape.unpickle(pickled, "here")


def test_an_array_that_holds_a_hostile_object_does_not_run(tmp_path):
    file = tmp_path / "made"
    array = np.empty(1, object)
    array[0] = hostile_values(file)["posix.system"]
    with pytest.raises(ValueError, match="of type 'O8'"):
        tape.unpickle(pickle.dumps(array), "here")
    assert not file.exists()


def test_a_dtype_that_hides_its_objects_is_refused():
    # NumPy's own unpickling uses these bytes as a pointer.
    objects = Calls(np.dtype, "O8", False, True)
    state = (3, "|", None, ("a",), {"a": (objects, 0)}, 8, 1, 0)
    forged = Calls(np.dtype, "V8", False, True, state=state)
    array = Calls(
        np._core.multiarray._reconstruct,
        np.ndarray,
        (0,),
        b"b",
        state=(1, (1,), forged, False, b"A" * 8),
    )
    with pytest.raises(ValueError, match="an array of type 'V8'"):
        tape.unpickle(pickle.dumps(array), "here")


@pytest.mark.parametrize("shape", [(2,), (3, -1, -1), (10**9,)])
def test_an_array_with_another_shape_is_refused(shape):
    array = Calls(
        np._core.multiarray._reconstruct,
        np.ndarray,
        (0,),
        b"b",
        state=(1, shape, np.dtype("u1"), False, b"abc"),
    )
    with pytest.raises(ValueError, match="^here: the pickle cannot be read"):
        tape.unpickle(pickle.dumps(array), "here")
