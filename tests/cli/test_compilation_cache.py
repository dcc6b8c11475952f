"""What JAX compiles on the command line is kept."""

import subprocess
import sys

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache as jax_cache

from keras_fpt.cli import compilation_cache

pytestmark = pytest.mark.backend_free
FOLDER, SIZE = "jax_compilation_cache_dir", "jax_compilation_cache_max_size"


@pytest.fixture
def home(tmp_path, monkeypatch):
    before = {name: getattr(jax.config, name) for name in (FOLDER, SIZE)}
    monkeypatch.setenv("KERAS_FPT_HOME", str(tmp_path / "home"))
    for name in before:  # What a test sets is then taken back.
        monkeypatch.setenv(name.upper(), "")
    jax.config.update(FOLDER, None)
    jax_cache.reset_cache()
    yield tmp_path / "home"
    for name, value in before.items():
        jax.config.update(name, value)
    jax_cache.reset_cache()


def cpu_info(path, text, monkeypatch):
    path.write_text(text)
    monkeypatch.setattr(compilation_cache, "_CPU_INFO", path)


def test_what_is_compiled_is_kept(home, tmp_path, monkeypatch):
    monkeypatch.setattr(compilation_cache.sys, "platform", "linux")
    cpu_info(tmp_path / "cpu", "flags: fma avx2\n", monkeypatch)
    compilation_cache.turn_on()
    assert jax.jit(lambda x: x * 2 + 1)(3) == 7
    assert list(home.glob("jax/*/jit_*-cache"))


def test_a_sweeps_worker_uses_it_too(home, tmp_path, monkeypatch):
    monkeypatch.setattr(compilation_cache.sys, "platform", "linux")
    cpu_info(tmp_path / "cpu", "flags: fma avx2\n", monkeypatch)
    compilation_cache.turn_on()
    program = "import jax; print(jax.config.jax_compilation_cache_dir)"
    found = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == jax.config.jax_compilation_cache_dir


def test_each_kind_of_processor_has_a_folder(home, tmp_path, monkeypatch):
    monkeypatch.setattr(compilation_cache.sys, "platform", "linux")
    folders = []
    for text in (
        "processor: 0\nflags: avx2\ncpu MHz: 1\n\nprocessor: 1\n",
        "processor: 0\nflags: avx2\ncpu MHz: 2\n\nprocessor: 1\n",
        "processor: 0\nflags: avx2 avx512f\ncpu MHz: 1\n",
    ):
        cpu_info(tmp_path / "cpu", text, monkeypatch)
        jax.config.update(FOLDER, None)
        compilation_cache.turn_on()
        folders.append(jax.config.jax_compilation_cache_dir)
    assert folders[0] == folders[1] != folders[2]


def test_a_folder_that_was_chosen_stays(home):
    jax.config.update(FOLDER, "chosen")
    compilation_cache.turn_on()
    assert jax.config.jax_compilation_cache_dir == "chosen"
    assert not home.exists()


@pytest.mark.parametrize("obstacle", ["unknown processor", "home is a file"])
def test_it_is_off_where_it_cannot_be_trusted(
    home, tmp_path, monkeypatch, obstacle
):
    if obstacle == "home is a file":
        home.write_text("")
    else:
        monkeypatch.setattr(compilation_cache, "_CPU_INFO", tmp_path / "none")
    compilation_cache.turn_on()
    assert jax.config.jax_compilation_cache_dir is None
