"""What SECURITY.md claims."""

import ast
import base64
import contextlib
import json
import marshal
import pathlib
import pickle
import shutil
import struct
import zipfile

import h5py
import keras
import numpy as np
import pytest
from conftest import gpt2_backbone
from safetensors.numpy import save_file

import keras_fpt
from keras_fpt import presets, tasks
from keras_fpt.files import json_files, unpacking
from keras_fpt.presets.keras_hub_presets import INDEXES
from keras_fpt.runs import folder as run_folder
from keras_fpt.tasks import proteins, tape

pytestmark = pytest.mark.backend_free

PACKAGE = pathlib.Path(keras_fpt.__file__).parent

# === The sources ===

MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
MODULES |= {"_pickle", "code", "runpy", "subprocess", "pty"}
CALLS = {"eval", "exec", "compile", "__import__"}
ATTRIBUTES = {
    "os.system",
    "os.popen",
    "tempfile.mktemp",
    "yaml.load",
    "torch.load",
    "np.loadtxt",
    "keras.config.enable_unsafe_deserialization",
    "shutil.unpack_archive",
}
# File, what it uses, and why it may.
ALLOWED = {
    # TAPE's records are pickles: read by an unpickler that admits containers,
    # strings, numbers and arrays of them only.
    ("tasks/tape.py", "pickle"),
    # Starts this package's own workers, with a folder for an argument, and no
    # shell.
    ("studies/sweep.py", "subprocess"),
}


def uses(source):
    """The names of what can run code, in Python source."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names}
            found |= names & MODULES
        elif isinstance(node, ast.ImportFrom):
            found |= {(node.module or "").split(".")[0]} & MODULES
            found |= {
                f"{node.module}.{alias.name}" for alias in node.names
            } & ATTRIBUTES
        elif isinstance(node, ast.Attribute):
            found |= {ast.unparse(node)} & ATTRIBUTES
            if node.attr in ("extractall", "extract"):
                found.add(node.attr)
        elif isinstance(node, ast.Call):
            found |= {ast.unparse(node.func)} & CALLS
            for keyword in node.keywords:
                is_false = ast.unparse(keyword.value) == "False"
                name = keyword.arg
                if name in ("allow_pickle", "shell") and not is_false:
                    found.add(name)
                if name in ("safe_mode", "weights_only") and is_false:
                    found.add(name)
    return found


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "eval(text)",
        "exec(text)",
        "import marshal, shelve",
        "np.load(path, allow_pickle=True)",
        "yaml.load(file)",
        "os.system(command)",
        "from os import system",
        "subprocess.run(command, shell=True)",
        "tempfile.mktemp()",
        "archive.extractall()",
        "keras.saving.load_model(path, safe_mode=False)",
    ],
)
def test_what_runs_code_is_found(source):
    assert uses(source)


def test_no_source_runs_code_from_files():
    found = {
        (file.relative_to(PACKAGE).as_posix(), use)
        for file in PACKAGE.rglob("*.py")
        for use in uses(file.read_text())
    }
    assert found == ALLOWED


# === Presets ===


@pytest.fixture(scope="module")
def preset_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "preset"
    gpt2_backbone(num_layers=1).save_to_preset(str(folder))
    return folder


@pytest.fixture
def preset(preset_folder, tmp_path):
    """A copy to be changed."""
    return pathlib.Path(shutil.copytree(preset_folder, tmp_path / "preset"))


def lambda_layer(path):
    """The config of a layer whose code would create a file."""
    code = compile(f"open({str(path)!r}, 'w')", "layer", "eval")
    function = {
        "code": base64.b64encode(marshal.dumps(code)).decode(),
        "defaults": None,
        "closure": None,
    }
    return {
        "class_name": "Lambda",
        "module": "keras.layers",
        "registered_name": None,
        "config": {
            "function": {"class_name": "__lambda__", "config": function}
        },
    }


def change_config(preset, **changes):
    path = preset / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, **changes}))
    return config


def test_a_preset_runs_no_lambda(preset, tmp_path):
    policies = {
        "class_name": "DTypePolicyMap",
        "module": "keras.dtype_policies",
        "registered_name": None,
        "config": {
            "default_policy": "float32",
            "policy_map": {"a": lambda_layer(tmp_path / "ran")},
        },
    }
    config = change_config(preset)
    change_config(preset, config={**config["config"], "dtype": policies})
    with pytest.raises(ValueError, match="preset"):
        presets.load_backbone(preset)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"module": "os", "class_name": "system", "registered_name": "system"},
        {"module": "os", "class_name": "system", "registered_name": None},
        {"registered_name": "Functional", "class_name": "Functional"},
        {"registered_name": "keras_hub>GPT2Tokenizer"},
        {"class_name": "__lambda__"},
        {"class_name": "__numpy__"},
    ],
)
def test_a_preset_is_a_backbone_of_kerashub(preset, changes):
    change_config(preset, **changes)
    with pytest.raises(ValueError, match="preset"):
        presets.load_backbone(preset)


def test_a_classifier_file_runs_no_lambda(tmp_path):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.build((None, 1))
    path = tmp_path / "model.keras"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    config = {
        "class_name": "FPTClassifier",
        "registered_name": "keras_fpt>FPTClassifier",
        "config": {"backbone": lambda_layer(tmp_path / "ran")},
    }
    files["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match="lambda"):
        keras.saving.load_model(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", ["link", "soft", "storage", "virtual"])
def test_weights_come_from_the_presets_own_file(preset, tmp_path, kind):
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["x"] = np.zeros((50, 16), "float32")
    with h5py.File(preset / "model.weights.h5", "a") as file:
        name = "layers/reversible_embedding/vars/0"
        if name not in file:
            name = _first_variable(file)
        shape = file[name].shape
        del file[name]
        if kind == "link":
            file[name] = h5py.ExternalLink(str(other), "/x")
        elif kind == "soft":
            file[name] = h5py.SoftLink("/elsewhere")
        elif kind == "storage":
            size = 4 * int(np.prod(shape))
            file.create_dataset(
                name, shape, "float32", external=[(str(other), 0, size)]
            )
        else:
            layout = h5py.VirtualLayout(shape, "float32")
            layout[:] = h5py.VirtualSource(str(other), "x", shape)
            file.create_virtual_dataset(name, layout)
    with pytest.raises(ValueError, match="preset"):
        presets.load_backbone(preset)


def _first_variable(file):
    names = []
    file.visit(names.append)
    return next(name for name in names if name.endswith("vars/0"))


@pytest.mark.parametrize("index", INDEXES)
@pytest.mark.parametrize("file", ["../b.h5", "/b.safetensors", "a/b", 3])
def test_an_index_names_files_of_its_own_folder(preset, index, file):
    entry = {"weight_map": {"a": ["model.h5", file]}}
    (preset / index).write_text(json.dumps(entry))
    with pytest.raises(ValueError, match=index):
        presets.load_backbone(preset)


# === Limits ===


def test_small_json_files_have_a_size(tmp_path, monkeypatch):
    monkeypatch.setattr(json_files, "MAX_BYTES", 10)
    path = tmp_path / "config.json"
    path.write_text('{"a": 1}')
    assert json_files.read_object(path) == {"a": 1}
    path.write_text('{"a": 1234}')
    with pytest.raises(ValueError, match=r"config.json.* 11 bytes"):
        json_files.read_object(path)


def test_a_gzip_bomb_is_refused(tmp_path, monkeypatch):
    import gzip

    path = tmp_path / "p.fa.gz"
    path.write_bytes(gzip.compress(b">a\n" + b"M" * 100_000))
    assert len(proteins.read_fasta(path)[0][1]) == 100_000
    monkeypatch.setattr(unpacking, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match=r"p.fa.gz.*decompression bomb"):
        proteins.read_fasta(path)


def test_an_array_smaller_than_it_says_is_refused(tmp_path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (%d,), }"
    header = (header % 2**45).ljust(117) + b"\n"
    start = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", start + header)
        archive.writestr("y.npy", start + header)
    with pytest.raises(ValueError, match=r"a.npz"):
        tasks.get(str(tmp_path / "a.npz"))


# === Pickles of TAPE ===


@pytest.mark.parametrize(
    "pickled",
    [
        b"cos\nsystem\n(Vtouch ran\ntR.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x03ran\x85R.",
        # An attribute of the class that stands for a dtype.
        b"\x80\x02cnumpy\ndtype\n(N}X\x05\0\0\0dtypeX\x01\0\0\0Os\x86b.",
        b"\x80\x02cnumpy\ndtype\nN}X\x05\0\0\0dtypeX\x01\0\0\0Os\x86b.",
        b"c_codecs\nencode\nN}X\x01\0\0\0aNs\x86b.",
        b"\x80\x02\x82\x01.",
        b"Pid\n.",
    ],
)
def test_a_pickle_runs_and_changes_nothing(pickled, tmp_path):
    with (
        contextlib.chdir(tmp_path),
        pytest.raises(ValueError, match="the record"),
    ):
        tape.unpickle(pickled, "the record")
    assert not hasattr(tape._DType, "dtype")
    assert not list(tmp_path.iterdir())


def test_a_pickle_does_not_fill_the_memory():
    """It numbers a value by 2^31, for which the C unpickler allocates 34 GB."""
    assert tape.unpickle(b"\x80\x02Nr\xff\xff\xff\x7f.", "a record") is None


def test_real_records_are_read():
    record = {"primary": "MKV", "a": np.arange(6.0).reshape(2, 3), "b": {1}}
    read = tape.unpickle(pickle.dumps(record), "a record")
    np.testing.assert_array_equal(read.pop("a"), record.pop("a"))
    assert read == record


# === Names from data ===


@pytest.mark.parametrize("name", ["../../up", "/up", "a/b", "..", "a\0b"])
def test_names_from_data_make_no_paths(name, tmp_path):
    """Labels, records and columns are cells of tables, never files' names."""
    folder = tmp_path / "data"
    folder.mkdir()
    label = name.replace("\0", "0")
    rows = "".join(f"{n},{label if n % 2 else 'v'}\n" for n in range(20))
    (folder / "t.csv").write_text(f"{label}x,y\n{rows}")
    before = sorted(tmp_path.rglob("*"))
    with contextlib.chdir(folder):
        task = tasks.get("./t.csv", label_column="y", verbose=False)
        assert task.name == "t" and label in task.class_names
        for _ in task.datasets(4).test:
            pass
        folder_of_run = run_folder.new_folder(task.name, "fpt")
    assert folder_of_run == pathlib.Path("runs/t-fpt-1")
    made = set(tmp_path.rglob("*")) - set(before)
    assert made == {folder / "runs", folder / "runs/t-fpt-1"}


def test_names_of_arrays_are_no_paths(tmp_path):
    """The arrays of an adapter are looked up, never written by name."""
    path = tmp_path / "a.safetensors"
    save_file({"../../up": np.ones(1)}, path, {"keras_fpt": "{}"})
    model = keras_fpt.FPTClassifier(gpt2_backbone(num_layers=1), input_dim=3)
    with pytest.raises(ValueError, match="a.safetensors"):
        model.load_adapter(path)
    assert list(tmp_path.iterdir()) == [path]
