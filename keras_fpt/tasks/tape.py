"""TAPE's files of remote homology: JSON, and pickles in LMDB.

A pickle can run programs, and by NumPy's own helpers write over memory. The
unpickler here admits plain values alone and makes arrays of numbers itself.

Source: Rao et al., 2019, "Evaluating Protein Transfer Learning with TAPE",
https://github.com/songlab-cal/tape.
"""

import io
import json
import os
import pathlib
import pickle
import re
from typing import NamedTuple

import lmdb
import numpy as np

NUM_FOLDS = 1195
_FIELDS = ("primary", "fold_label", "id")


class Protein(NamedTuple):
    """A record of a file.

    Args:
        name: string, its id, such as `d1asha_`.
        sequence: string of amino acids.
        fold: int, below `NUM_FOLDS`.
        where: string, the file and the record, for errors.
    """

    name: str
    sequence: str
    fold: int
    where: str


def read_split(data_dir, split):
    """The proteins of one of TAPE's splits of remote homology.

    Args:
        data_dir: the folder that holds the folder `remote_homology`.
        split: string, TAPE's name of it, such as `valid`. The file is
            `remote_homology_<split>.json` or, where there is none, `.lmdb`,
            which may be a folder or a single file.

    Returns:
        A list of `Protein`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged or holds something else.
    """
    folder = pathlib.Path(data_dir) / "remote_homology"
    for suffix, read in ((".json", _read_json), (".lmdb", _read_lmdb)):
        path = folder / f"remote_homology_{split}{suffix}"
        if path.exists():
            proteins = [
                _protein(record, f"`{path}`, record {number}", str(number))
                for number, record in enumerate(read(path))
            ]
            if not proteins:
                raise ValueError(f"`{path}` has no records.")
            return proteins
    raise FileNotFoundError(
        f"There is no remote_homology_{split}.json or .lmdb in `{folder}`. "
        f"Get the remote homology data (JSON or LMDB) from the links in the "
        f"README of https://github.com/songlab-cal/tape, unpack it, and give "
        f"the folder that holds `remote_homology/` (--data-dir DIR)."
    )


def _protein(record, where, number):
    if not isinstance(record, dict):
        raise ValueError(
            f"{where}: expected an object with the fields primary and "
            f"fold_label but found {_short(record)}."
        )
    values = {name: _plain(record[name]) for name in _FIELDS if name in record}
    # TAPE, too, names a record without an id by its number.
    name = str(values.get("id", number))
    where = f"{where} ({name})"
    for field in ("primary", "fold_label"):
        if field not in values:
            raise ValueError(f"{where}: there is no field '{field}'.")
    sequence, fold = values["primary"], values["fold_label"]
    if not isinstance(sequence, str):
        raise ValueError(
            f"{where}: expected primary to be a string of amino acids but "
            f"found {_short(sequence)}."
        )
    if type(fold) is not int or not 0 <= fold < NUM_FOLDS:
        raise ValueError(
            f"{where}: expected fold_label to be an integer from 0 to "
            f"{NUM_FOLDS - 1} but found {_short(fold)}."
        )
    return Protein(name, sequence, fold, where)


def _plain(value):
    """A number or string, which may have been an array of one, or bytes."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _short(value):
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _read_json(path):
    # TAPE's records hold long lists of other fields, which take much memory.
    def keep(pairs):
        return {name: value for name, value in pairs if name in _FIELDS}

    try:
        text = path.read_text("utf-8")
        records = json.loads(text, object_pairs_hook=keep)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"`{path}` is not JSON: {error}") from error
    if not isinstance(records, list):
        raise ValueError(
            f"`{path}`: expected a list of records but found a "
            f"{type(records).__name__}."
        )
    return records


def _read_lmdb(path):
    is_folder = os.path.isdir(path)
    try:
        with (
            lmdb.open(
                str(path),
                subdir=is_folder,
                readonly=True,
                create=False,
                lock=False,
            ) as environment,
            environment.begin() as transaction,
        ):
            # Reading past the end of a file would end the whole process.
            file = path / "data.mdb" if is_folder else path
            pages = environment.info()["last_pgno"] + 1
            expected = pages * environment.stat()["psize"]
            if file.stat().st_size < expected:
                raise ValueError(
                    f"`{path}` is cut off: expected {expected:,} bytes but "
                    f"found {file.stat().st_size:,}. Get the file again."
                )
            count = _unpickle_value(transaction, path, "num_examples")
            if type(count) is not int or count < 0:
                raise ValueError(
                    f"`{path}`: expected num_examples to be a number but "
                    f"found {_short(count)}."
                )
            return [
                _unpickle_value(transaction, path, str(number))
                for number in range(count)
            ]
    except lmdb.Error as error:
        raise ValueError(
            f"`{path}` is not an LMDB database, or is damaged: {error}"
        ) from error


def _unpickle_value(transaction, path, key):
    value = transaction.get(key.encode())
    if value is None:
        raise ValueError(f"`{path}`: there is no record {key}.")
    return unpickle(value, f"`{path}`, record {key}")


def unpickle(pickled, where):
    """A pickled value of plain containers, strings, numbers and arrays.

    Args:
        pickled: bytes.
        where: string, the file and record that they come from, for errors.

    Returns:
        The value. NumPy's scalars become Python's.

    Raises:
        ValueError: it is damaged, or names anything else, such as a function
            to call. None of it has run then.

    >>> unpickle(pickle.dumps({"primary": "MKV"}), "an example")
    {'primary': 'MKV'}
    """
    try:
        return _PlainUnpickler(io.BytesIO(pickled)).load()
    # A damaged pickle raises errors of almost any type.
    except Exception as error:
        raise ValueError(
            f"{where}: the pickle cannot be read: {str(error) or repr(error)}"
        ) from error


class _PlainUnpickler(pickle._Unpickler):
    """Python's own unpickler, since that in C fills the memory if told so.

    Six bytes that number a value by 2^31 make it set 34 GB to zero.
    """

    dispatch = dict(pickle._Unpickler.dispatch)

    def _load_build(self):
        # On anything else a pickle could set attributes, even of a class.
        if type(self.stack[-2]) not in (_DType, _Array):
            raise pickle.UnpicklingError("it changes what is no array.")
        super().load_build()

    dispatch[pickle.BUILD[0]] = _load_build

    def find_class(self, module, name):
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it names {module}.{name}. Expected plain containers, "
                f"strings, numbers and arrays of numbers or strings."
            ) from None


class _DType:
    """A dtype of numbers or strings.

    A `numpy.dtype` must not be unpickled: a forged state can hide that it
    holds objects, so that any number would be taken for a pointer.
    """

    def __init__(self, code, align=False, copy=False):
        if not re.fullmatch(r"[biufcSU]\d+", code):
            raise ValueError(f"it has an array of the type {_short(code)}.")
        self.dtype = np.dtype(code)

    def __setstate__(self, state):
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array(np.ndarray):
    """An array that takes its shape, type and values from a pickle."""

    def __setstate__(self, state):
        version, shape, dtype, is_fortran, content = state
        # Refuses a shape that the values do not fill.
        shape = _array(content, dtype, shape, "C").shape
        super().__setstate__((version, shape, dtype.dtype, is_fortran, content))


def _reconstruct(subtype, shape, code):
    return np.ndarray.__new__(_Array, (0,))


def _array(content, dtype, shape, order, *axes):
    array = np.frombuffer(content, dtype.dtype)
    if order == "K":  # another order of the axes in memory
        return array.reshape(shape).transpose(*axes)
    return array.reshape(shape, order=order)


def _scalar(dtype, content):
    return _array(content, dtype, (), "C").item()


def _encode(text, encoding):
    if encoding != "latin1":
        raise ValueError(f"it has bytes in the encoding {_short(encoding)}.")
    return text.encode(encoding)


_ADMITTED = {
    ("_codecs", "encode"): _encode,  # bytes, in old pickles
    ("numpy", "dtype"): _DType,
    ("numpy", "ndarray"): None,  # an argument of `_reconstruct`
}
for _type in (bytearray, bytes, complex, frozenset, set):
    for _module in ("builtins", "__builtin__"):
        _ADMITTED[_module, _type.__name__] = _type
for _core in ("numpy.core", "numpy._core"):
    _ADMITTED[f"{_core}.multiarray", "_reconstruct"] = _reconstruct
    _ADMITTED[f"{_core}.multiarray", "scalar"] = _scalar
    _ADMITTED[f"{_core}.numeric", "_frombuffer"] = _array
