"""Small backbones and data that tests share.

Keras is imported where it is used, not above: pytest-xdist reads this file in
one more process, which runs no test, before it starts those that do.
"""

import gc
import os
import pathlib
import re
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Models this small gain nothing from more threads, and several processes whose
# threads wait for one another on the same cores take many times as long.
for name in ("OMP_NUM", "TF_NUM_INTRAOP", "TF_NUM_INTEROP"):
    os.environ.setdefault(f"{name}_THREADS", "1")
# They are compiled in each process, and run a few times: what one compiles,
# the others take from a folder.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
if os.environ.get("KERAS_BACKEND") == "jax":  # TensorFlow reads them as well.
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    COMPILED = tempfile.TemporaryDirectory(prefix="keras_fpt_compiled_")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = COMPILED.name

import hypothesis  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

gc.set_threshold(20_000, 20, 20)
# The duration of an example tells nothing on a busy machine.
hypothesis.settings.register_profile("keras_fpt", deadline=None)
hypothesis.settings.load_profile("keras_fpt")


WHOLE_FILE_IS_BACKEND_FREE = re.compile(
    r"^pytestmark = \[?\s*pytest\.mark\.backend_free", re.MULTILINE
)


def pytest_ignore_collect(collection_path, config):
    """Whether `-m` leaves out a whole file, which then need not be imported.

    `None` leaves the decision to others.
    """
    if (
        "not backend_free" in config.option.markexpr
        and collection_path.suffix == ".py"
        and WHOLE_FILE_IS_BACKEND_FREE.search(collection_path.read_text())
    ):
        return True
    return None


def gpt2_backbone(**overrides):
    """A random GPT-2 of 2 layers, 2 heads and width 16."""
    import keras_hub

    arguments = {
        "vocabulary_size": 50,
        "num_layers": 2,
        "num_heads": 2,
        "hidden_dim": 16,
        "intermediate_dim": 32,
        "max_sequence_length": 128,
        "dropout": 0.0,
        **overrides,
    }
    return keras_hub.models.GPT2Backbone(**arguments)


def jit_compile():
    """Whether a test that compiles a model itself compiles it with XLA.

    By default Keras does on TensorFlow as well, where it takes seconds.
    """
    import keras

    return keras.backend.backend() == "jax"


@pytest.fixture(scope="module", autouse=True)
def little_garbage():
    """Keeps the garbage collector from scanning permanent objects repeatedly.

    That is what was imported, and what a file's tests leave behind: models are
    many small objects, some of which TensorFlow, JAX and Keras never let go.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def quick_curves():
    """Draws the curves of the many runs without a layout, which takes longer
    than drawing them, and no pictures for TensorBoard. All are drawn in
    tests/runs/test_run_files.py and test_event_files.py.
    """
    from keras_fpt.runs import board_pictures, curves

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curves, "LAYOUT", None)
        patch.setattr(board_pictures, "write", lambda *arguments: None)
        yield


@pytest.fixture(autouse=True)
def fixed_seed():
    import keras

    keras.utils.set_random_seed(0)


@pytest.fixture
def messages():
    """The package's log messages, a list that grows."""
    import logging

    class Collector(logging.Handler):
        def emit(self, record):
            found.append(record.getMessage())

    found, collector = [], Collector()
    logger = logging.getLogger("keras_fpt")
    logger.addHandler(collector)
    yield found
    logger.removeHandler(collector)


@pytest.fixture
def backbone():
    return gpt2_backbone()


@pytest.fixture(scope="session")
def preset(tmp_path_factory):
    """A KerasHub preset folder of a tiny GPT-2."""
    import keras

    folder = tmp_path_factory.mktemp("presets") / "tiny"
    keras.utils.set_random_seed(1)
    gpt2_backbone().save_to_preset(str(folder))
    return str(folder)


@pytest.fixture(scope="module")
def small_evaluations():
    """Runs on generated examples evaluate on 20 of train, 100 of the rest."""
    from keras_fpt.runs import finishing
    from keras_fpt.tasks import generated

    with pytest.MonkeyPatch.context() as patch:
        sizes = {"validation": 100, "test": 100}
        patch.setattr(generated, "SIZES", sizes)
        patch.setattr(finishing, "TRAIN_SUBSET_SIZE", 20)
        yield


@pytest.fixture(scope="session")
def data():
    """Twelve sequences of 10 tokens of width 3, in two classes; not to be
    changed.
    """
    generator = np.random.default_rng(0)
    x = generator.normal(size=(12, 10, 3)).astype("float32")
    return x, (x.mean((1, 2)) > 0).astype("int32")


@pytest.fixture(scope="session")
def sums_file(tmp_path_factory):
    """The path of a file of 200 sequences, on which runs take seconds.

    Do their numbers add up to more than 0?
    """
    path = tmp_path_factory.mktemp("data") / "sums.npz"
    x = np.random.default_rng(0).normal(size=(200, 4, 3)).astype("float32")
    np.savez(path, x=x, y=(x.sum((1, 2)) > 0).astype("int32"))
    return str(path)


@pytest.fixture(scope="session")
def real_data():
    """The folder with optional real data, named by KERAS_FPT_TEST_DATA."""
    folder = pathlib.Path(os.environ.get("KERAS_FPT_TEST_DATA", "../shared"))
    if not (folder / "tensorflow_datasets").is_dir():
        pytest.skip(f"no real data in `{folder}` (KERAS_FPT_TEST_DATA)")
    return folder


def snapshot(variables):
    """Copies of variables' values, by path."""
    import keras

    return {v.path: np.array(keras.ops.convert_to_numpy(v)) for v in variables}
