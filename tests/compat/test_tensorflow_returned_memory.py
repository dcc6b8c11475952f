"""Memory that TensorFlow keeps for the next operations."""

import os
import subprocess
import sys

import keras
import pytest

from keras_fpt.compat import tensorflow_returned_memory

_KEEP = "TF_CPU_ALLOCATOR_USE_BFC"
# Prints how many pages of 32 MiB of new tensors the system must provide.
_PROGRAM = """
import resource
import {package}
import tensorflow as tf

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

x = tf.ones((8, 2**20))
y = x + 1
del y
before = faults()
for _ in range(10):
    y = x + 1
    del y
print(faults() - before)
"""


def run(package, **variables):
    environment = {k: v for k, v in os.environ.items() if k != _KEEP}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(package=package)],
        env=environment | {"KERAS_BACKEND": "tensorflow"} | variables,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return int(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow" or sys.platform != "linux",
    reason="Only TensorFlow's tensors are concerned.",
)
def test_tensorflow_keeps_memory():
    pages = 32 * 2**20 // os.sysconf("SC_PAGE_SIZE")
    assert run("keras_fpt") < pages
    assert run("keras_fpt", **{_KEEP: "false"}) >= 10 * pages
    # Otherwise the workaround is no longer needed.
    assert run("keras") >= 10 * pages


def test_what_the_environment_says_stays(monkeypatch):
    monkeypatch.setenv(_KEEP, "false")
    tensorflow_returned_memory.keep()
    assert os.environ[_KEEP] == "false"
    monkeypatch.delenv(_KEEP)
    tensorflow_returned_memory.keep()
    assert (_KEEP in os.environ) == (keras.backend.backend() == "tensorflow")
