"""The examples in docstrings, in the README and in `docs/` run.

`>>>` examples are doctests. Blocks of ```python are executed in a folder of
their own, with a few small arrays and files that they speak of.
"""

import ast
import doctest
import importlib
import pathlib
import re
import textwrap

import numpy as np
import pytest
from conftest import gpt2_backbone

import keras_fpt

pytestmark = pytest.mark.backend_free

PACKAGE = pathlib.Path(keras_fpt.__file__).parent
REPOSITORY = pathlib.Path(__file__).parent.parent
DOCUMENTS = (REPOSITORY / "README.md", *sorted(REPOSITORY.glob("docs/*.md")))
# Examples that take long, or need a preset that must be downloaded.
SHORTER = {
    '"gpt2_base_en"': '"gpt2_tiny_en"',
    r'"hf://[^"]*"': '"gpt2_tiny_en"',
    r"size=\(500,": "size=(40,",
    "epochs=3": "epochs=1",
    "epochs=100": "epochs=3",
    r"steps_per_epoch=\d+": "steps_per_epoch=2",
    "max_length=50": "max_length=8",
}
# Exports that the table in docs/export.md rules out.
NOT_ON = {
    "docs/export.md:1": ("jax", "torch"),
    "docs/export.md:2": ("jax",),
}


def modules_with(text):
    """Names and sources of the modules that hold a text; none is imported."""
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_text("utf-8")
        if text in source:
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            yield ".".join(p for p in parts if p != "__init__"), source


def docstring_examples():
    """The ```python blocks of docstrings, as parameters of a test."""
    documented = ast.Module | ast.ClassDef | ast.FunctionDef
    for module, source in modules_with("```python"):
        for node in ast.walk(ast.parse(source)):
            docstring = isinstance(node, documented) and ast.get_docstring(node)
            if docstring:
                name = f"{module}.{getattr(node, 'name', '')}".rstrip(".")
                yield from named_blocks(docstring, name, module)


def document_examples():
    """The ```python blocks of documents, as parameters of a test."""
    for path in DOCUMENTS:
        name = str(path.relative_to(REPOSITORY))
        yield from named_blocks(path.read_text("utf-8"), name, "keras_fpt")


def named_blocks(text, name, module):
    blocks = re.findall(r"^ *```python\n(.*?)^ *```", text, re.M | re.S)
    for number, block in enumerate(blocks):
        label = f"{name}:{number + 1}"
        yield pytest.param(label, module, textwrap.dedent(block), id=label)


@pytest.mark.parametrize("name", [name for name, _ in modules_with(">>> ")])
def test_doctests(name, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_FPT_HOME", str(tmp_path))
    module = importlib.import_module(name)
    result = doctest.testmod(module, extraglobs={"np": np})
    assert result.attempted
    assert not result.failed


@pytest.mark.parametrize(
    ("label", "module", "example"),
    [*docstring_examples(), *document_examples()],
)
def test_example(label, module, example, workplace):
    import keras

    if (backend := keras.backend.backend()) in NOT_ON.get(label, ()):
        pytest.skip(f"{backend} has no such export")
    for long, short in SHORTER.items():
        example = re.sub(long, short, example)
    names = vars(importlib.import_module(module)) | workplace(example)
    exec(compile(example, f"<{label}>", "exec"), names)


@pytest.fixture
def workplace(tmp_path, monkeypatch, preset):
    """A function from an example to the names that it may use.

    The current folder holds the files that examples name.
    """
    import keras
    import keras_hub

    uploaded = []
    monkeypatch.setattr(
        keras_hub, "upload_preset", lambda *names: uploaded.append(names)
    )
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    x = random.normal(size=(40, 6, 6)).astype("float32")
    y = (x.mean((1, 2)) > 0).astype("int32")
    names = {
        "keras": keras,
        "keras_fpt": keras_fpt,
        "np": np,
        **{"x": x, "y": y, "x_test": x, "y_test": y, "images": x},
    }

    def prepare(example):
        write_tables()
        if "my_preset" in example:
            write_language_model("my_preset")
        if "sweeps/digits" in example:
            write_runs("sweeps/digits", x, y)
        names["model"] = keras_fpt.FPTClassifier.from_preset(
            preset, num_classes=2
        )
        names["model"].predict(x, verbose=0)
        for task in ("digits", "bit_xor"):
            if f"runs/{task}-fpt-1" in example:
                write_adapter(f"runs/{task}-fpt-1/adapter.safetensors", x)
        names["task"] = keras_fpt.tasks.from_arrays(x, y)
        splits = names["task"].datasets(batch_size=8, seed=0)
        return names | splits._asdict()

    return prepare


def write_tables():
    """`walks.csv` and `sunspots.csv`, series, and `rows.csv`, examples."""
    lines = [f"{'walk' if i < 1000 else 'run'},{i % 7}" for i in range(2000)]
    pathlib.Path("walks.csv").write_text(
        "\n".join(["activity,forward", *lines, ""])
    )
    lines = [f"{i % 2},{i % 5},{i % 3}" for i in range(60)]
    pathlib.Path("rows.csv").write_text("\n".join(["y,a,b", *lines, ""]))
    activity = "".join(f"{n % 11}\n" for n in range(150))
    pathlib.Path("sunspots.csv").write_text(f"activity\n{activity}")


def write_adapter(path, x):
    """An adapter of the packaged preset, untrained."""
    model = keras_fpt.FPTClassifier.from_preset("gpt2_tiny_en", num_classes=2)
    model.predict(x[:2], verbose=0)
    pathlib.Path(path).parent.mkdir(parents=True)
    model.save_adapter(path)


def write_language_model(folder):
    """A preset of a tiny GPT-2 with the packaged preset's tokenizer."""
    import keras_hub

    tokenizer = keras_hub.models.GPT2Tokenizer.from_preset(
        keras_fpt.presets.path("gpt2_tiny_en")
    )
    preprocessor = keras_hub.models.GPT2CausalLMPreprocessor(
        tokenizer, sequence_length=16
    )
    backbone = gpt2_backbone(vocabulary_size=tokenizer.vocabulary_size())
    keras_hub.models.GPT2CausalLM(backbone, preprocessor).save_to_preset(folder)


def write_runs(folder, x, y):
    """A folder of two runs of one arm, with two seeds and two steps each."""
    from keras_fpt.runs import RunConfig, train

    np.savez("sums.npz", x=x, y=y)
    for seed in (0, 1):
        config = RunConfig(
            "sums.npz", arm="lstm", steps=2, batch_size=8, seed=seed
        )
        train(config, pathlib.Path(folder, f"seed-{seed}"))
