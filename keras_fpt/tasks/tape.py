"""Reads TAPE's remote homology files: JSON, or pickles in LMDB.

Pickles can run programs and, through NumPy's own helpers, overwrite memory.
The unpickler here accepts only plain values, and creates arrays itself.

Source: Rao et al., 2019, "Evaluating Protein Transfer Learning with TAPE",
https://github.com/songlab-cal/tape.
"""

import io
import json
import os
import pathlib
import pickle
import re
from typing import Any, NamedTuple

import lmdb
import numpy as np

NUM_FOLDS = 1195
# `Any`, since its attributes are not in the type stubs of the library.
_PythonUnpickler: Any = pickle._Unpickler
_FIELDS = ("primary", "fold_label", "superfamily_label", "id")


class Protein(NamedTuple):
    """A protein and its fold.

    Args:
        name: string, its ID, such as `d1asha_`.
        sequence: string of amino acids.
        fold: int, below `NUM_FOLDS`.
        where: string, the file and the record, for errors.
        superfamily: int, the superfamily within the fold, whose proteins have
            a common ancestor; `None` if the record does not tell.
    """

    name: str
    sequence: str
    fold: int
    where: str
    superfamily: int | None = None


def read_split(data_dir: str | os.PathLike, split: str) -> list[Protein]:
    """Reads the proteins of one of TAPE's splits of remote homology.

    Args:
        data_dir: the folder that contains the folder `remote_homology`.
        split: string, TAPE's name of the split, such as `valid`. The file is
            `remote_homology_<split>.json` or, if that does not exist,
            `.lmdb`, which may be a folder or a single file.

    Returns:
        A list of `Protein`.

    Raises:
        FileNotFoundError: neither file exists.
        ValueError: the file is damaged or contains something else.
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
        f"Download the remote homology data (JSON or LMDB) from the links in "
        f"the README of https://github.com/songlab-cal/tape, unpack it, and "
        f"give the folder that holds `remote_homology/` (--data-dir DIR)."
    )


def _protein(record: Any, where: str, number: str) -> Protein:
    if not isinstance(record, dict):
        raise ValueError(
            f"{where}: expected an object with the fields primary and "
            f"fold_label but found {_shorten(record)}."
        )
    values = {name: _plain(record[name]) for name in _FIELDS if name in record}
    # As TAPE does, a record without an ID is named by its number.
    name = str(values.get("id", number))
    where = f"{where} ({name})"
    for field in ("primary", "fold_label"):
        if field not in values:
            raise ValueError(f"{where}: there is no field '{field}'.")
    sequence, fold = values["primary"], values["fold_label"]
    if not isinstance(sequence, str):
        raise ValueError(
            f"{where}: expected primary to be a string of amino acids but "
            f"found {_shorten(sequence)}."
        )
    if type(fold) is not int or not 0 <= fold < NUM_FOLDS:
        raise ValueError(
            f"{where}: expected fold_label to be an integer from 0 to "
            f"{NUM_FOLDS - 1} but found {_shorten(fold)}."
        )
    superfamily = values.get("superfamily_label")
    if superfamily is not None and type(superfamily) is not int:
        raise ValueError(
            f"{where}: expected superfamily_label to be an integer but found "
            f"{_shorten(superfamily)}."
        )
    return Protein(name, sequence, fold, where, superfamily)


def _plain(value: Any) -> Any:
    """Unwraps arrays of one value, and decodes bytes."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _read_json(path: pathlib.Path) -> list[Any]:
    # The other fields of TAPE's records are long lists, which take much memory.
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


def _read_lmdb(path: pathlib.Path) -> list[Any]:
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
            # Reading past the end of a file would crash the process.
            file = path / "data.mdb" if is_folder else path
            pages = environment.info()["last_pgno"] + 1
            expected = pages * environment.stat()["psize"]
            if file.stat().st_size < expected:
                raise ValueError(
                    f"`{path}` is cut off: expected {expected:,} bytes but "
                    f"found {file.stat().st_size:,}. Download it again."
                )
            count = _unpickle_value(transaction, path, "num_examples")
            if type(count) is not int or count < 0:
                raise ValueError(
                    f"`{path}`: expected num_examples to be a number but "
                    f"found {_shorten(count)}."
                )
            return [
                _unpickle_value(transaction, path, str(number))
                for number in range(count)
            ]
    except lmdb.Error as error:
        raise ValueError(
            f"`{path}` is not an LMDB database, or is damaged: {error}"
        ) from error


def _unpickle_value(transaction: Any, path: pathlib.Path, key: str) -> Any:
    value = transaction.get(key.encode())
    if value is None:
        raise ValueError(f"`{path}`: there is no record {key}.")
    return unpickle(value, f"`{path}`, record {key}")


def unpickle(pickled: bytes, where: str) -> Any:
    """Unpickles plain containers, strings, numbers and arrays.

    Args:
        pickled: bytes.
        where: string, the file and record of the pickle, for errors.

    Returns:
        The value. NumPy's scalars become Python's.

    Raises:
        ValueError: the pickle is damaged, or names anything else, such as a
            function to call, which is then not called.

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


class _PlainUnpickler(_PythonUnpickler):
    """An unpickler in Python, since the one in C can exhaust the memory.

    Six bytes that memoize a value under the number 2^31 make the latter
    allocate 34 GB.
    """

    dispatch = dict(_PythonUnpickler.dispatch)

    def _load_build(self) -> None:
        # A pickle could set attributes of other objects, and even of classes.
        if type(self.stack[-2]) not in (_DType, _Array):
            raise pickle.UnpicklingError(
                "it sets the state of an object that is not an array."
            )
        super().load_build()

    dispatch[pickle.BUILD[0]] = _load_build

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it names {module}.{name}. Expected plain containers, "
                f"strings, numbers and arrays of numbers or strings."
            ) from None


class _DType:
    """A dtype of numbers or strings.

    Unpickling a `numpy.dtype` is not safe: a forged state can hide that it
    holds objects, so that any number would be used as a pointer.
    """

    def __init__(
        self, code: str, align: bool = False, copy: bool = False
    ) -> None:
        if not re.fullmatch(r"[biufcSU]\d+", code):
            raise ValueError(f"it has an array of type {_shorten(code)}.")
        self.dtype = np.dtype(code)

    def __setstate__(self, state):
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array(np.ndarray):
    """An array whose shape, type and values are set from a pickle."""

    def __setstate__(self, state):
        version, shape, dtype, is_fortran, content = state
        # Raises an error for a shape that the values do not fill.
        shape = _array(content, dtype, shape, "C").shape
        super().__setstate__((version, shape, dtype.dtype, is_fortran, content))


def _reconstruct(subtype, shape, code):
    return np.ndarray.__new__(_Array, (0,))


def _array(content, dtype, shape, order, *axes):
    array = np.frombuffer(content, dtype.dtype)
    if order == "K":  # the axes have another order in memory
        return array.reshape(shape).transpose(*axes)
    return array.reshape(shape, order=order)


def _scalar(dtype, content):
    return _array(content, dtype, (), "C").item()


def _encode(text, encoding):
    if encoding != "latin1":
        raise ValueError(f"it has bytes in the encoding {_shorten(encoding)}.")
    return text.encode(encoding)


_ALLOWED: dict[tuple[str, str], Any] = {
    ("_codecs", "encode"): _encode,  # bytes, in old pickles
    ("numpy", "dtype"): _DType,
    ("numpy", "ndarray"): None,  # an argument of `_reconstruct`
}
for _type in (bytearray, bytes, complex, frozenset, set):
    for _module in ("builtins", "__builtin__"):
        _ALLOWED[_module, _type.__name__] = _type
for _core in ("numpy.core", "numpy._core"):
    _ALLOWED[f"{_core}.multiarray", "_reconstruct"] = _reconstruct
    _ALLOWED[f"{_core}.multiarray", "scalar"] = _scalar
    _ALLOWED[f"{_core}.numeric", "_frombuffer"] = _array
