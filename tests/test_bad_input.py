"""What the library and the command line report for bad input, as one table."""

import json
import shutil
import struct
import sys
import types
import zipfile
from collections.abc import Callable
from typing import NamedTuple

import lmdb
import numpy as np
import pytest
import tensorflow as tf
from conftest import gpt2_backbone
from PIL import Image
from safetensors.numpy import save_file
from scipy.io import wavfile

import keras_fpt
from keras_fpt import cli, presets, tasks
from keras_fpt.pretraining import text
from keras_fpt.runs import data_description
from keras_fpt.runs import folder as run_folder
from keras_fpt.tasks import listops, proteins, tape


class Case(NamedTuple):
    """A row of the table.

    Args:
        name: string.
        provoke: function of `shared` (see below) and an empty folder.
        error: type of the exception.
        words: strings that its message must have.
    """

    name: str
    provoke: Callable
    error: type
    words: tuple


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """What the cases share, since models take long to make."""
    folder = tmp_path_factory.mktemp("shared")
    backbone = gpt2_backbone()
    backbone.save_to_preset(str(folder / "preset"))
    model = keras_fpt.FPTClassifier(backbone, num_classes=2, input_dim=3)
    model.save_adapter(folder / "adapter.safetensors")
    words = keras_fpt.FPTClassifier(gpt2_backbone(), vocabulary_size=5)
    return types.SimpleNamespace(
        folder=folder,
        backbone=backbone,
        spare=gpt2_backbone(),
        preset=folder / "preset",
        model=model,
        words=words,
        adapter=folder / "adapter.safetensors",
    )


def x(length=4, width=3, count=4):
    return np.ones((count, length, width), "float32")


Y = np.array([0, 1, 0, 1])


# === The library ===


def classifier(**arguments):
    return lambda s, _: keras_fpt.FPTClassifier(s.spare, **arguments)


def from_preset(name, **arguments):
    return lambda s, _: keras_fpt.FPTClassifier.from_preset(name, **arguments)


def fit(x, y, model="model"):
    return lambda s, _: getattr(s, model).fit(x, y, verbose=0)


def with_nan():
    values = x()
    values[2, 1, 0] = np.nan
    return values


def masked(mask):
    return {"tokens": x(), "padding_mask": np.array(mask)}


def fit_dataset(s, folder):
    dataset = tf.data.Dataset.from_tensor_slices((x(), Y + 5)).batch(2)
    s.model.fit(dataset, verbose=0)


def export_open_width(s, folder):
    model = keras_fpt.FPTClassifier(gpt2_backbone(num_layers=1))
    model.export(folder / "model", format="tf_saved_model")


LIBRARY = [
    Case("classes", classifier(num_classes=0), ValueError, ("num_classes",)),
    Case("classes half", classifier(num_classes=2.5), ValueError, ("2.5",)),
    Case("width", classifier(input_dim=0), ValueError, ("input_dim", "0")),
    Case(
        "two kinds",
        classifier(input_dim=3, vocabulary_size=4),
        ValueError,
        ("input_dim", "vocabulary_size"),
    ),
    Case("policy", classifier(policy="ftp"), ValueError, ("'ftp'", "fpt")),
    Case(
        "policy of nothing",
        classifier(policy="fpt+token_embedding"),
        ValueError,
        ("token_embedding",),
    ),
    Case("readout", classifier(readout="lst"), ValueError, ("'lst'", "last")),
    Case("no pooler", classifier(readout="pooled"), ValueError, ("pooled",)),
    Case("dropout", classifier(dropout=1.0), ValueError, ("1.0",)),
    Case("depth -1", classifier(depth=-1), ValueError, ("depth", "-1")),
    Case("depth 9", classifier(depth=9), ValueError, ("0 to 2", "9")),
    Case("quantize", classifier(quantize="int3"), ValueError, ("int3", "int8")),
    Case("rank", classifier(lora_rank=0), ValueError, ("lora_rank", "0")),
    Case(
        "nothing to quantize",
        classifier(quantize="int8", policy="full"),
        ValueError,
        ("int8", "full"),
    ),
    Case(
        "set_policy",
        lambda s, _: s.model.set_policy("everything"),
        ValueError,
        ("'everything'",),
    ),
    Case("preset", from_preset("gpt2_tiny"), ValueError, ("gpt2_tiny_en",)),
    Case(
        "preset folder",
        from_preset("no/such/folder"),
        FileNotFoundError,
        ("no/such/folder",),
    ),
    Case("gguf", from_preset("gguf:no"), FileNotFoundError, ("`no`",)),
    Case(
        "preset argument",
        lambda s, _: keras_fpt.FPTClassifier.from_preset(s.preset, wdth=3),
        ValueError,
        ("wdth",),
    ),
    Case("task", lambda *_: tasks.get("mnits"), ValueError, ("mnits", "mnist")),
    Case(
        "variant",
        lambda *_: tasks.get("listops:x"),
        ValueError,
        ("'x'", "bracketless"),
    ),
    Case(
        "option",
        lambda *_: tasks.get("bit_xor", width=3),
        ValueError,
        ("bit_xor", "width"),
    ),
    Case(
        "task's path",
        lambda *_: tasks.get("./none.csv"),
        FileNotFoundError,
        ("none.csv",),
    ),
    Case(
        "max_length",
        lambda *_: tasks.get("listops", max_length=0),
        ValueError,
        ("max_length", "0"),
    ),
    Case(
        "batch size",
        lambda *_: tasks.get("bit_xor").datasets(0),
        ValueError,
        ("batch size", "0"),
    ),
    Case(
        "split",
        lambda *_: tasks.get("bit_xor").held_out("tset"),
        ValueError,
        ("tset", "test"),
    ),
    Case("rank of x", fit(x()[0, 0], Y), ValueError, ("(3,)",)),
    Case("width of x", fit(x(width=5), Y), ValueError, ("width 3", "5")),
    Case("length", fit(x(length=200), Y), ValueError, ("128", "200")),
    Case("nan", fit(with_nan(), Y), ValueError, ("nan", "example 2")),
    Case("label", fit(x(), Y + 1), ValueError, ("0 to 1", "2")),
    Case("label's type", fit(x(), list("abab")), ValueError, ("labels",)),
    Case("regression", fit(x(), Y + 0.5), ValueError, ("0.5", "regression")),
    Case("one-hot", fit(x(), np.eye(2)[Y]), ValueError, ("(4, 2)",)),
    Case("data set's label", fit_dataset, ValueError, ("0 to 1", "labels")),
    Case("token", fit(np.full((4, 4), 9), Y, "words"), ValueError, ("4", "9")),
    Case("floats", fit(np.ones((4, 4)), Y, "words"), ValueError, ("floats",)),
    Case(
        "keys",
        lambda s, _: s.model.predict({"token": x()}),
        ValueError,
        ("tokens", "token"),
    ),
    Case(
        "padding",
        lambda s, _: s.model.predict(masked([[0, 1, 1, 1]] * 4)),
        ValueError,
        ("right", "example 0"),
    ),
    Case(
        "mask's shape",
        lambda s, _: s.model.predict(masked([[1, 1]] * 4)),
        ValueError,
        ("(4, 4)", "(4, 2)"),
    ),
    Case(
        "evaluate",
        lambda s, _: s.model.evaluate(x(), -Y, verbose=0),
        ValueError,
        ("0 to 1", "-1"),
    ),
    Case("export", export_open_width, ValueError, ("input_dim",)),
    Case(
        "arrays",
        lambda *_: tasks.from_arrays(x(), Y[:3]),
        ValueError,
        ("3", "4"),
    ),
    Case(
        "classes of arrays",
        lambda *_: tasks.from_arrays(x(), [1, 1, 1, 1]),
        ValueError,
        ("'1'", "two classes"),
    ),
    Case(
        "images",
        lambda *_: tasks.from_arrays(np.ones((4, 8, 8, 3)), Y),
        ValueError,
        ("(8, 8, 3)", "patches"),
    ),
    Case(
        "endless",
        lambda *_: tasks.from_dataset(tf.data.Dataset.from_tensors(1).repeat()),
        ValueError,
        ("is infinite",),
    ),
    Case(
        "strings",
        lambda *_: tasks.from_strings(["AC", ""], [0, 1]),
        ValueError,
        ("string 2",),
    ),
    Case(
        "adapter's name",
        lambda s, _: keras_fpt.AdapterSet(s.backbone).activate("digits"),
        KeyError,
        ("digits", "none"),
    ),
]


# === Files ===


def put(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    content = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(content)
    return path


def own(name, content, **options):
    """A file of the user's own data."""

    def provoke(shared, folder):
        tasks.get(str(put(folder, name, content)), **options)

    return provoke


def csv(content, **options):
    return own("table.csv", content, **{"label_column": "y", **options})


def read(reader, name, content):
    return lambda s, folder: reader(put(folder, name, content))


def npz(**columns):
    def provoke(shared, folder):
        np.savez(folder / "a.npz", **columns)
        tasks.get(str(folder / "a.npz"))

    return provoke


def npz_bomb(shared, folder):
    # Only the sizes that the archive states; nothing is unpacked.
    with zipfile.ZipFile(folder / "a.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x.npy", bytes(1000))
    content = (folder / "a.npz").read_bytes()
    place = content.index(b"PK\x01\x02") + 24
    content = content[:place] + struct.pack("<I", 2**31) + content[place + 4 :]
    tasks.get(str(put(folder, "a.npz", content)))


def image(content):
    def provoke(shared, folder):
        for name in ("cat/1.png", "cat/2.png", "dog/1.png"):
            path = put(folder, f"pets/{name}", b"")
            Image.new("L", (8, 8)).save(path)
        put(folder, "pets/dog/2.png", content)
        tasks.get(str(folder / "pets"))

    return provoke


def wav(content):
    def provoke(shared, folder):
        for name in ("low/1.wav", "low/2.wav", "high/1.wav"):
            path = put(folder, f"tones/{name}", b"")
            wavfile.write(path, 8000, np.ones(800, "int16"))
        put(folder, "tones/high/2.wav", content)
        tasks.get(str(folder / "tones"))

    return provoke


def riff(rate, samples=b"\0" * 100):
    form = struct.pack("<HHIIHH", 1, 1, rate, rate, 1, 8)
    chunks = b"WAVEfmt " + struct.pack("<I", 16) + form
    chunks += b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def tape_json(content):
    def provoke(shared, folder):
        name = "remote_homology/remote_homology_valid.json"
        put(folder, name, content)
        tape.read_split(folder, "valid")

    return provoke


def tape_lmdb(values):
    def provoke(shared, folder):
        path = folder / "remote_homology" / "remote_homology_valid.lmdb"
        path.parent.mkdir()
        with (
            lmdb.open(str(path), subdir=False, map_size=2**20) as environment,
            environment.begin(write=True) as transaction,
        ):
            for key, value in values.items():
                transaction.put(key.encode(), value)
        tape.read_split(folder, "valid")

    return provoke


def saved_dataset(change):
    def provoke(shared, folder):
        path = folder / "saved"
        dataset = tf.data.Dataset.from_tensor_slices((x(), Y))
        dataset.save(str(path))
        change(path)
        tasks.get(str(path))

    return provoke


def preset(change):
    def provoke(shared, folder):
        path = folder / "preset"
        shutil.copytree(shared.preset, path)
        change(path)
        presets.load_backbone(path)

    return provoke


def preset_config(**changes):
    def change(path):
        config = json.loads((path / "config.json").read_text())
        put(path, "config.json", json.dumps({**config, **changes}))

    return preset(change)


def adapter(change):
    """An adapter whose header, the dict, is changed."""

    def provoke(shared, folder):
        content = shared.adapter.read_bytes()
        size = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + size])
        _, entry = json.loads(header["__metadata__"]["keras_fpt"])
        # Without a checksum, as an attacker may write it.
        entry = change(entry)
        header["__metadata__"]["keras_fpt"] = (
            entry if isinstance(entry, str) else json.dumps(entry)
        )
        new = json.dumps(header).encode()
        new += b" " * (-len(new) % 8)
        start = len(new).to_bytes(8, "little")
        content = start + new + content[8 + size :]
        shared.model.load_adapter(put(folder, "a.safetensors", content))

    return provoke


def without(name):
    return lambda entry: {k: v for k, v in entry.items() if k != name}


def with_setting(name, value):
    return lambda e: {**e, "model": {**e["model"], name: value}}


def gguf(name, value, architecture="gpt2"):
    def provoke(shared, folder):
        import gguf

        path = folder / "model.gguf"
        writer = gguf.GGUFWriter(path, architecture)
        writer.add_key_value(
            f"{architecture}.{name}",
            value,
            gguf.GGUFValueType.get_type(value),
        )
        writer.add_tensor("token_embd.weight", np.ones((4, 4), "float32"))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        presets.load_backbone(f"gguf:{path}")

    return provoke


def gguf_nested(shared, folder):
    nested = b"\x09\0\0\0" + (1).to_bytes(8, "little")
    content = b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"k"
    content += struct.pack("<I", 9) + nested * 5000
    presets.load_backbone(f"gguf:{put(folder, 'deep.gguf', content)}")


def gguf_endless(shared, folder):
    """Found by the fuzzer: a list of 2^60 numbers that do not exist."""
    content = b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"k"
    content += struct.pack("<IIQ", 9, 4, 2**60)
    presets.load_backbone(f"gguf:{put(folder, 'endless.gguf', content)}")


DATA = {
    "name": "n",
    "description": "d",
    "num_classes": 2,
    "sequence_length": 4,
    "input_dim": 3,
    "vocabulary_size": None,
    "class_names": ["a", "b"],
    "recipe": {"steps": 1},
    "reader": {"kind": "ArrayReader", "input_dim": 3, "vocabulary_size": None},
}


def data_json(**changes):
    content = json.dumps({**DATA, **changes})
    return lambda s, f: data_description.read_description(
        put(f, "data.json", content).parent
    )


def reader(kind, **fields):
    return data_json(reader={"kind": kind, **fields})


def run_config(content):
    def provoke(shared, folder):
        run_folder.read_config(put(folder, "config.json", content).parent)

    return provoke


def write_directory(folder):
    file = folder / "snapshot.metadata"
    file.write_bytes(file.read_bytes().replace(b"\x12", b"\x12\x02..\x3a", 1))


def contradict(old, new):
    """Found by the mutations: TensorFlow crashed on such files."""

    def change(folder):
        file = folder / "snapshot.metadata"
        content = file.read_bytes()
        assert content.count(old) == 1
        file.write_bytes(content.replace(old, new))

    return change


DEEP = "[" * 100_000
TABLE = "a,b,y\n1,2,u\n3,4,v\n"
FILES = [
    Case("csv, no column", csv(TABLE, label_column="z"), ValueError, ("'z'",)),
    Case("csv, cell", csv(TABLE + "x,2,u\n"), ValueError, ("row 3", "'x'")),
    Case("csv, short row", csv(TABLE + "5,u\n"), ValueError, ("row 3", "2")),
    Case("csv, no label", csv(TABLE + "5,6,\n"), ValueError, ("row 3", "y")),
    Case("csv, empty", csv(""), ValueError, ("table.csv",)),
    Case("csv, header", csv("a,y\n"), ValueError, ("table.csv", "no rows")),
    Case("csv, twice", csv("a,a,y\n1,2,u\n"), ValueError, ("'a'",)),
    Case("csv, no text", csv(b"a,y\n\xff,u\n"), ValueError, ("UTF-8",)),
    Case("csv, NUL", csv(b"a,y\n\0,u\n\0,v\n"), ValueError, ("table.csv",)),
    Case("csv, quote", csv('a,y\n"1,u\n'), ValueError, ("table.csv",)),
    Case("csv, no header", csv("1,2\n3,4\n"), ValueError, ("--no-header",)),
    Case(
        "csv, missing",
        csv(TABLE + ",2,u\n"),
        ValueError,
        ("row 3", "--fill", "--drop-missing"),
    ),
    Case("csv, fill", csv(TABLE, fill="mean"), ValueError, ("--fill", "mean")),
    Case(
        "csv, fraction",
        csv("a,y\n1,0.5\n2,1.5\n"),
        ValueError,
        ("row 1", "0.5"),
    ),
    Case(
        "csv, two numbers",
        csv("a;y\n1,234;u\n2,345;v\n"),
        ValueError,
        ("row 1", "1.234", "1234"),
    ),
    Case("csv, window", csv(TABLE, window=0), ValueError, ("window", "0")),
    Case("csv, option", csv(TABLE, patch_size=4), ValueError, ("--patch",)),
    Case(
        "tsv",
        own("t.tsv", "a\ty\n1\n", label_column="y"),
        ValueError,
        ("t.tsv", "row 1"),
    ),
    Case("kind of file", own("a.xyz", "?"), ValueError, ("a.xyz", ".csv")),
    Case("fasta, no labels", own("p.fa", ">a\nMK\n"), ValueError, ("labels",)),
    Case(
        "fasta, no header",
        read(proteins.read_fasta, "p.fa", "MKV\n"),
        ValueError,
        ("p.fa", "line 1"),
    ),
    Case(
        "fasta, twice",
        read(proteins.read_fasta, "p.fa", ">a\nM\n>a\nM\n"),
        ValueError,
        ("'a'", "line 3"),
    ),
    Case(
        "fasta, gzip",
        read(proteins.read_fasta, "p.fa.gz", b"\x1f\x8b?"),
        ValueError,
        ("p.fa.gz",),
    ),
    Case("npz, no y", npz(x=x()), ValueError, ("'y'", "a.npz")),
    Case("npz, objects", npz(x=np.array([{}]), y=Y), ValueError, ("a.npz",)),
    Case(
        "npz, more rows than fit into memory",
        npz(x=np.empty((10**10, 0)), y=Y),
        ValueError,
        ("a.npz", "10000000000"),
    ),
    Case("npz, no archive", own("a.npz", "hello"), ValueError, ("a.npz",)),
    Case("npz, bomb", npz_bomb, ValueError, ("a.npz", "decompression bomb")),
    Case("image", image(b"GIF89a"), ValueError, ("dog", "2.png")),
    Case(
        "image, a program",
        image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        ValueError,
        ("2.png",),
    ),
    Case(
        "image, bomb",
        image(b"P5 60000 60000 255\n"),
        ValueError,
        ("2.png", "bomb"),
    ),
    Case("wav", wav(b"RIFF"), ValueError, ("2.wav",)),
    Case("wav, short", wav(riff(8000)), ValueError, ("2.wav", "0.025")),
    Case("wav, rate", wav(riff(1)), ValueError, ("2.wav", "1 Hz")),
    Case("TAPE, json", tape_json("{"), ValueError, ("valid.json", "JSON")),
    Case("TAPE, deep", tape_json(DEEP), ValueError, ("valid.json",)),
    Case("TAPE, object", tape_json("{}"), ValueError, ("valid.json", "dict")),
    Case(
        "TAPE, fold",
        tape_json('[{"primary": "M", "fold_label": 1195}]'),
        ValueError,
        ("record 0", "1195"),
    ),
    Case("TAPE, lmdb", tape_lmdb({}), ValueError, ("num_examples",)),
    Case(
        "TAPE, pickle",
        tape_lmdb({"num_examples": b"cos\nsystem\n(Vtrue\ntR."}),
        ValueError,
        ("num_examples", "os.system"),
    ),
    Case(
        "listops, header",
        read(listops.read_tsv, "l.tsv", "a\tb\n"),
        ValueError,
        ("l.tsv", "Source"),
    ),
    Case(
        "listops, token",
        read(listops.read_tsv, "l.tsv", "Source\tTarget\n[MUX 1 ]\t1\n"),
        ValueError,
        ("line 2", "[MUX"),
    ),
    Case(
        "data set, spec",
        saved_dataset(lambda p: put(p, "dataset_spec.pb", b"\xff" * 9)),
        ValueError,
        ("saved", "damaged"),
    ),
    Case(
        "data set, still written",
        saved_dataset(lambda p: put(p, "snapshot.metadata", "")),
        ValueError,
        ("saved", "snapshot.metadata"),
    ),
    Case(
        "data set, type",
        saved_dataset(contradict(b"*\2\1\11", b"*\2\1\1")),
        ValueError,
        ("saved", "contradicts"),
    ),
    Case(
        "data set, count",
        saved_dataset(contradict(b"*\2\1\11", b"*\2\1")),
        ValueError,
        ("saved", "damaged"),
    ),
    Case(
        "data set, elsewhere",
        saved_dataset(write_directory),
        ValueError,
        ("saved",),
    ),
    Case(
        "text",
        read(lambda p: list(text.read_lines([p])), "t", b"\xff"),
        ValueError,
        ("`", "UTF-8"),
    ),
    Case(
        "tokenizer",
        lambda s, folder: text.load_tokenizer(str(folder)),
        ValueError,
        ("tokenizer",),
    ),
    Case(
        "preset, empty",
        lambda s, folder: presets.load_backbone(folder),
        FileNotFoundError,
        ("config.json",),
    ),
    Case(
        "preset, JSON",
        preset(lambda p: put(p, "config.json", "{")),
        ValueError,
        ("config.json", "JSON"),
    ),
    Case(
        "preset, deep",
        preset(lambda p: put(p, "config.json", DEEP)),
        ValueError,
        ("config.json", "nested"),
    ),
    Case("preset, list", preset_config(config=[]), ValueError, ("'config'",)),
    Case(
        "preset, class",
        preset_config(registered_name="os>system"),
        ValueError,
        ("preset", "os>system"),
    ),
    Case(
        "preset, lambda",
        preset_config(class_name="__lambda__"),
        ValueError,
        ("preset", "lambda"),
    ),
    Case(
        "preset, heads",
        preset_config(config={"num_heads": 0}),
        ValueError,
        ("preset",),
    ),
    Case(
        "preset, weights",
        preset(lambda p: put(p, "model.weights.h5", "weights")),
        ValueError,
        ("preset", "file signature"),
    ),
    Case(
        "preset, no weights",
        preset(lambda p: (p / "model.weights.h5").unlink()),
        FileNotFoundError,
        ("preset", "model.weights"),
    ),
    Case(
        "preset, index",
        preset(
            lambda p: put(
                p,
                "model.safetensors.index.json",
                '{"weight_map": {"a": "../b.safetensors"}}',
            )
        ),
        ValueError,
        ("index.json", "../b.safetensors"),
    ),
    Case("gguf, blocks", gguf("block_count", 2**30), ValueError, ("blocks",)),
    Case("gguf, type", gguf("block_count", "2"), ValueError, ("'2'",)),
    Case("gguf, family", gguf("x", 1, "bert"), ValueError, ("bert", "llama")),
    Case("gguf, deep", gguf_nested, ValueError, ("deep.gguf",)),
    Case("gguf, endless", gguf_endless, ValueError, ("endless.gguf", "ends")),
    Case(
        "adapter, none",
        lambda s, _: s.model.load_adapter("none.safetensors"),
        FileNotFoundError,
        ("none.safetensors",),
    ),
    Case(
        "adapter, text",
        lambda s, f: s.model.load_adapter(put(f, "a.safetensors", "hello")),
        ValueError,
        ("a.safetensors", "damaged"),
    ),
    Case(
        "adapter, another's",
        lambda s, f: (
            save_file({"x": Y}, f / "a.safetensors"),
            s.model.load_adapter(f / "a.safetensors"),
        ),
        ValueError,
        ("a.safetensors", "keras_fpt"),
    ),
    Case("adapter, JSON", adapter(lambda _: "{"), ValueError, ("a.safe",)),
    Case("adapter, deep", adapter(lambda _: DEEP), ValueError, ("a.safe",)),
    Case("adapter, list", adapter(lambda _: []), ValueError, ("a.safe",)),
    Case(
        "adapter, no settings",
        adapter(without("model")),
        ValueError,
        ("a.safetensors", "num_classes"),
    ),
    Case(
        "adapter, setting",
        adapter(with_setting("policy", 3)),
        ValueError,
        ("policy=3",),
    ),
    Case(
        "adapter, classes",
        adapter(with_setting("num_classes", 7)),
        ValueError,
        ("num_classes=7", "num_classes=2"),
    ),
    Case(
        "adapter, backbone",
        adapter(lambda e: {**e, "fingerprint": "0"}),
        ValueError,
        ("another backbone",),
    ),
    Case(
        "AdapterSet",
        lambda s, f: keras_fpt.AdapterSet(s.backbone).load(
            "a", put(f, "a.safetensors", "hello")
        ),
        ValueError,
        ("a.safetensors",),
    ),
    Case("run, JSON", run_config("[]"), ValueError, ("list",)),
    Case("run, deep", run_config(DEEP), ValueError, ("nested",)),
    Case("run, field", run_config('{"tsk": 1}'), ValueError, ("tsk",)),
    Case(
        "run, type",
        run_config('{"task": "bit_xor", "steps": "many"}'),
        ValueError,
        ("steps", "many"),
    ),
    Case("data.json", data_json(name=3), ValueError, ("data.json", "name")),
    Case("data, classes", data_json(num_classes=9), ValueError, ("9", "2")),
    Case("data, recipe", data_json(recipe={}), ValueError, ("steps",)),
    Case("data, reader", reader("os.system"), ValueError, ("os.system",)),
    Case(
        "data, field",
        reader("FastaReader", max_length="1"),
        ValueError,
        ("max_length", "'1'"),
    ),
    Case(
        "data, patches",
        reader("ImageReader", height=8, width=8, channels=1, patch_size=0),
        ValueError,
        ("patches",),
    ),
    Case(
        "data, columns",
        reader("TableReader", columns=["a"], mean=[], scale=[1.0]),
        ValueError,
        ("columns",),
    ),
]


# === The command line ===


def command(*arguments):
    """Runs the command line, and raises its error."""

    def provoke(shared, folder):
        old, sys.argv = sys.argv, ["keras-fpt", *arguments]
        if "--output" in arguments:
            sys.argv.append(str(folder / "run"))
        try:
            cli.main()
        finally:
            sys.argv = old

    return provoke


def train(*arguments):
    return command("train", *arguments, "--steps", "1", "--output")


COMMANDS = [
    Case("no command", command("trian"), SystemExit, ("trian",)),
    Case("no option", train("bit_xor", "--stp", "1"), SystemExit, ("--stp",)),
    Case("no number", train("bit_xor", "--seed", "a"), SystemExit, ("--seed",)),
    Case("no task", train("mnits"), SystemExit, ("mnits", "mnist")),
    Case("no arm", train("bit_xor", "--arm", "x"), SystemExit, ("'x'", "fpt")),
    Case(
        "no group",
        train("bit_xor", "--policy", "x"),
        SystemExit,
        ("'x'", "layer_norm"),
    ),
    Case(
        "no preset",
        train("bit_xor", "--preset", "gpt2_tiny"),
        SystemExit,
        ("gpt2_tiny_en",),
    ),
    Case(
        "batch size 0",
        train("bit_xor", "--batch-size", "0"),
        SystemExit,
        ("batch_size", "0"),
    ),
    Case(
        "learning rate",
        train("bit_xor", "--learning-rate", "nan"),
        SystemExit,
        ("learning rate", "nan"),
    ),
    Case(
        "negative seed",
        train("bit_xor", "--seed", "-1"),
        SystemExit,
        ("seed", "-1"),
    ),
    Case(
        "two ways",
        command("train", "bit_xor", "--resume", "--overwrite"),
        SystemExit,
        ("--resume", "--overwrite"),
    ),
    Case(
        "which run",
        command("train", "bit_xor", "--resume"),
        SystemExit,
        ("--output",),
    ),
    Case("no run", command("evaluate", "none"), SystemExit, ("none",)),
    Case(
        "budget",
        command("compare", "digits", "--budget", "soon"),
        SystemExit,
        ("'soon'", "10m"),
    ),
    Case(
        "compared with nothing",
        command("compare", "none.csv", "--label-column", "y"),
        SystemExit,
        ("none.csv",),
    ),
    Case(
        "question",
        command("reproduce", "magic"),
        SystemExit,
        ("'magic'", "transfer"),
    ),
    Case(
        "question's budget",
        command("reproduce", "depth", "--budget", "days"),
        SystemExit,
        ("'days'", "minutes"),
    ),
    Case("no runs", command("report", "none"), SystemExit, ("none",)),
    Case("predict", command("predict", "none", "a"), SystemExit, ("none",)),
    Case("show", command("tasks", "show", "x"), SystemExit, ("'x'",)),
    Case("preset?", command("presets", "show", "x"), SystemExit, ("'x'",)),
    Case(
        "no text",
        command("pretrain", "language-model", "--text", "none.txt", "--output"),
        SystemExit,
        ("none.txt",),
    ),
]

CASES = LIBRARY + FILES + COMMANDS


@pytest.mark.backend_free
@pytest.mark.parametrize(
    "case", CASES, ids=[case.name.replace(" ", "-") for case in CASES]
)
def test_bad_input_is_named(case, shared, tmp_path, capsys):
    with pytest.raises((Exception, SystemExit)) as caught:
        case.provoke(shared, tmp_path)
    assert caught.type is case.error, caught.value
    message = str(caught.value)
    if case.error is SystemExit:
        assert caught.value.code in (1, 2)
        message = capsys.readouterr().err
        assert "Traceback" not in message
    for words in case.words:
        assert words in message


@pytest.mark.backend_free
def test_nothing_has_changed(shared):
    """Bad input leaves a model as it was."""
    logits = shared.model.predict(x(), verbose=0)
    shared.model.load_adapter(shared.adapter)
    np.testing.assert_array_equal(shared.model.predict(x(), verbose=0), logits)
