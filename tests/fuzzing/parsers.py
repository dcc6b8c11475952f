"""Every parser of files, with a valid file to start from.

A parser takes the path of a file. Whatever is in it, it returns a value or
raises one of `EXPECTED`.
"""

import functools
import json
import pathlib
import pickle
import shutil
import struct
import tempfile

import numpy as np

EXPECTED = (ValueError, OSError)


def _csv(path):
    from keras_fpt.tasks.user_data.tables import tables

    tables.from_csv(path, "y", verbose=False)


def _table(path):
    from keras_fpt.tasks.user_data.tables import table_files

    table_files.read_table(path)


def _strings(path):
    from keras_fpt.tasks.user_data.strings import strings

    strings.from_string_table(path, "a", "y", verbose=False)


def _fasta(path):
    from keras_fpt.tasks import proteins

    for name, sequence in proteins.read_fasta(path):
        proteins.encode(sequence, name)


def _arrays(path):
    from keras_fpt.tasks.user_data.arrays import arrays

    arrays.from_saved(path, verbose=False)


def _image(path):
    from keras_fpt.tasks.user_data.media import image_files, image_folders

    image_files.read_header(path)
    image_folders.ImageReader(8, 8, 3, 4).load(path)


def _wav(path):
    from keras_fpt.tasks.user_data.media import sound_files

    sound_files.read_sound(path, 1.0)


def _tape_json(path):
    from keras_fpt.tasks import tape

    with tempfile.TemporaryDirectory() as folder:
        target = pathlib.Path(folder, "remote_homology")
        target.mkdir()
        shutil.copy(path, target / "remote_homology_valid.json")
        tape.read_split(folder, "valid")


def _tape_pickle(path):
    from keras_fpt.tasks import tape

    tape.unpickle(pathlib.Path(path).read_bytes(), "a record")


def _listops(path):
    from keras_fpt.tasks import listops

    listops.read_tsv(path)


def _lines(path):
    from keras_fpt.pretraining import text

    list(text.read_lines([str(path)]))


def _gguf(path):
    from keras_fpt.presets import gguf_files, gguf_reader

    file = gguf_reader.GGUFFile(str(path))
    if file.architecture == "gpt2":
        gguf_files._match(file, gguf_files._GPT2, gguf_files._GPT2_BLOCK)
        gguf_files._check_sizes(file, "blk.0.ffn_up.weight")


def _adapter(path):
    from keras_fpt.models import adapters

    adapters.read(path)


def _run_config(path):
    from keras_fpt.runs.config import RunConfig

    # As `run_folder.read_config` does.
    RunConfig.read(path)


def _sweep_config(path):
    from keras_fpt.studies.sweep_config import SweepConfig

    SweepConfig.read(path)


def _data_json(path):
    from keras_fpt.runs import data_description

    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(path, pathlib.Path(folder, "data.json"))
        data_description.read_description(folder)


def _preset_config(path):
    from keras_fpt.compat import quantized_preset_dtypes
    from keras_fpt.files import json_files
    from keras_fpt.presets import keras_hub_presets

    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(path, pathlib.Path(folder, "config.json"))
        keras_hub_presets._check_folder(folder, folder)
        config = json_files.read_object(pathlib.Path(folder, "config.json"))
        quantized_preset_dtypes.saved_dtypes(config, None)


def _dataset_spec(path):
    return _dataset(path, "dataset_spec.pb")


def _snapshot(path):
    return _dataset(path, "snapshot.metadata")


def _dataset(path, name):
    from keras_fpt.tasks.user_data.arrays import arrays

    with tempfile.TemporaryDirectory() as folder:
        target = pathlib.Path(folder, "saved")
        shutil.copytree(_saved_dataset(), target)
        shutil.copy(path, target / name)
        arrays.from_saved(str(target), verbose=False)


def _arrow(path):
    from keras_fpt.tasks.user_data.arrays import arrays

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name, "saved")
        folder.mkdir()
        shutil.copy(path, folder / "a.arrow")
        state = {"_data_files": [{"filename": "a.arrow"}]}
        (folder / "state.json").write_text(json.dumps(state))
        (folder / "dataset_info.json").write_text("{}")
        arrays.from_saved(folder, verbose=False)


@functools.cache
def _saved_dataset():
    import tensorflow as tf

    folder = tempfile.mkdtemp()
    x, y = np.ones((20, 2, 2), "float32"), np.arange(20) % 2
    tf.data.Dataset.from_tensor_slices((x, y)).save(folder)
    return folder


# === Valid files ===


def _npz_file(path):
    with open(path, "wb") as file:
        np.savez_compressed(file, x=np.ones((20, 2, 2)), y=np.arange(20) % 2)


def _frame_file(write):
    def write_file(path):
        import io

        import pandas as pd

        write(pd.read_csv(io.StringIO(_TABLE)), path)

    return write_file


def _arrow_file(path):
    import pyarrow as pa

    table = pa.table({"x": [[[0.5, 2.0]] * 2] * 20, "y": ["a", "b"] * 10})
    with (
        pa.OSFile(str(path), "wb") as sink,
        pa.ipc.new_stream(sink, table.schema) as writer,
    ):
        writer.write_table(table)


def _image_file(kind):
    def write(path):
        from PIL import Image

        Image.new("RGB", (9, 9), (200, 10, 10)).save(path, kind)

    return write


def _wav_file(path):
    form = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    samples = b"\1\2" * 400
    chunks = b"WAVEfmt " + struct.pack("<I", 16) + form
    chunks += b"data" + struct.pack("<I", len(samples)) + samples
    path.write_bytes(b"RIFF" + struct.pack("<I", len(chunks)) + chunks)


def _gguf_file(path):
    import gguf

    writer = gguf.GGUFWriter(path, "gpt2")
    writer.add_block_count(0)
    writer.add_embedding_length(4)
    writer.add_head_count(2)
    writer.add_array("gpt2.list", [1, 2])
    writer.add_tensor("token_embd.weight", np.ones((4, 4), "float32"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _adapter_file(path):
    from keras_fpt.files import checkpoints
    from keras_fpt.models import adapters

    settings = {
        "num_classes": 2,
        "input_dim": 3,
        "vocabulary_size": None,
        "num_output_tokens": 1,
        "labels_per_token": 1,
        "policy": "fpt",
        "readout": "last",
        "learned_positions": None,
        "lora_rank": 8,
        "quantize": None,
    }
    header = {
        "format": adapters.FORMAT,
        "model": settings,
        "fingerprint": "0",
    }
    arrays = {
        "input/0": np.ones((3, 4)),
        "output/0": np.ones((4, 2)),
        "output/1": np.ones(2),
    }
    checkpoints.write_arrays(path, arrays, header)


def _text(content):
    return lambda path: path.write_text(content)


def _json(value):
    return _text(json.dumps(value))


_RECORD = {"primary": "MKV", "fold_label": 3, "id": "d1", "a": np.ones(2)}
_TABLE = "a,b,y\n" + "1,2,u\n3,4,v\n" * 8
_DATA = {
    "name": "n",
    "description": "d",
    "num_classes": 2,
    "sequence_length": 4,
    "input_dim": 64,
    "vocabulary_size": None,
    "class_names": ["a", "b"],
    "recipe": {"steps": 1, "dropout": 0.1},
    "reader": {
        "kind": "SoundReader",
        "sampling_rate": 8000,
        "max_seconds": 1.0,
        "mean": [0.0, 1],
    },
}

# From names to a file's extension, a writer of a valid file, and the parser.
_CASES = "@dimensions 2\n@classLabel true a b\n@data\n" + (
    "1,2,3:4,5,6:a\n1,2:4,5:b\n" * 10
)
PARSERS = {
    "csv": (".csv", _text(_TABLE), _csv),
    "tsv": (".tsv", _text(_TABLE.replace(",", "\t")), _strings),
    "decimal_commas": (
        ".csv",
        _text("a;b;y\n" + "1,5;2;u\n3,25;4;v\n" * 8),
        _table,
    ),
    "utf_16": (
        ".csv",
        lambda path: path.write_text(_TABLE, encoding="utf-16"),
        _table,
    ),
    "white_space": (".dat", _text(_TABLE.replace(",", "  ")), _table),
    "gzip": (
        ".csv.gz",
        _frame_file(lambda frame, path: frame.to_csv(path, index=False)),
        _table,
    ),
    "zip": (
        ".csv.zip",
        _frame_file(lambda frame, path: frame.to_csv(path, index=False)),
        _table,
    ),
    "xz": (
        ".csv.xz",
        _frame_file(lambda frame, path: frame.to_csv(path, index=False)),
        _table,
    ),
    "arff": (
        ".arff",
        _text(
            "@relation r\n@attribute a real\n@attribute 'b c' {u,v}\n"
            "@data\n1,u\n?,v\n"
        ),
        _table,
    ),
    "parquet": (
        ".parquet",
        _frame_file(lambda frame, path: frame.to_parquet(path)),
        _table,
    ),
    "feather": (
        ".feather",
        _frame_file(lambda frame, path: frame.to_feather(path)),
        _table,
    ),
    "workbook": (
        ".xlsx",
        _frame_file(lambda frame, path: frame.to_excel(path, index=False)),
        _table,
    ),
    "fasta": (".fa", _text(">a b\nMKV\n;c\n>d\nACJ*\n"), _fasta),
    "npz": (".npz", _npz_file, _arrays),
    "ts": (".ts", _text(_CASES), _arrays),
    "arrow": (".arrow", _arrow_file, _arrow),
    "png": (".png", _image_file("PNG"), _image),
    "gif": (".gif", _image_file("GIF"), _image),
    "tiff": (".tiff", _image_file("TIFF"), _image),
    "bmp": (".bmp", _image_file("BMP"), _image),
    "jpeg": (".jpg", _image_file("JPEG"), _image),
    "webp": (".webp", _image_file("WEBP"), _image),
    "ppm": (".ppm", _image_file("PPM"), _image),
    "wav": (".wav", _wav_file, _wav),
    "tape_json": (
        ".json",
        _json([{**_RECORD, "a": [1.5, [2]]}]),
        _tape_json,
    ),
    "tape_pickle": (
        ".pickle",
        lambda path: path.write_bytes(pickle.dumps(_RECORD)),
        _tape_pickle,
    ),
    "listops": (
        ".tsv",
        _text("Source\tTarget\n( [MAX 2 ) 9 ]\t9\n"),
        _listops,
    ),
    "text": (".txt", _text("a line\n<|endoftext|>\n\u00e9\n"), _lines),
    "gguf": (".gguf", _gguf_file, _gguf),
    "adapter": (".safetensors", _adapter_file, _adapter),
    "run_config": (
        ".json",
        _json({"task": "bit_xor", "steps": 3, "options": {"a": [1]}}),
        _run_config,
    ),
    "sweep_config": (
        ".json",
        _json(
            {
                "run": {"task": "bit_xor"},
                "arms": ["fpt"],
                "search": {"depth": [1, 2], "dropout": {"low": 0, "high": 1}},
                "trials": 2,
            }
        ),
        _sweep_config,
    ),
    "data_json": (".json", _json(_DATA), _data_json),
    "preset_config": (
        ".json",
        _json(
            {
                "registered_name": "keras_hub>GPT2Backbone",
                "config": {"dtype": {"class_name": "DTypePolicy"}},
            }
        ),
        _preset_config,
    ),
    "dataset_spec": (
        ".pb",
        lambda path: shutil.copy(
            pathlib.Path(_saved_dataset(), "dataset_spec.pb"), path
        ),
        _dataset_spec,
    ),
    "snapshot": (
        ".metadata",
        lambda path: shutil.copy(
            pathlib.Path(_saved_dataset(), "snapshot.metadata"), path
        ),
        _snapshot,
    ),
}


@functools.cache
def valid(name):
    """The bytes of a parser's valid file."""
    ending, write, _ = PARSERS[name]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, f"valid{ending}")
        write(path)
        return path.read_bytes()


def parse(name, content, folder):
    """Lets a parser read some bytes.

    Returns:
        Whether it took them.

    Raises:
        Exception: what is not in `EXPECTED`, which is a defect.
    """
    ending, _, parser = PARSERS[name]
    path = pathlib.Path(folder, f"file{ending}")
    path.write_bytes(content)
    try:
        parser(path)
    except EXPECTED:
        return False
    return True
