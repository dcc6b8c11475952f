"""Imports Keras and its backend without start-up messages."""

import contextlib
import os
import sys
from collections.abc import Iterator

from rich.console import Console

from keras_fpt.cli import compilation_cache
from keras_fpt.compat import (
    tensorflow_returned_memory,
    tensorflow_start_messages,
)

BACKENDS = ("tensorflow", "jax", "torch")
# Variables that Keras and its backends read as they are imported.
_PREFIXES = ("KERAS_", "JAX_", "XLA_", "CUDA_")
_OWN = "KERAS_FPT_"  # They do not matter there, and one may contain a password.


def load_backend() -> None:
    """Imports Keras, KerasHub and TensorFlow without start-up messages.

    Raises:
        ImportError: the backend is not installed.
        ValueError: an environment variable has a value that cannot be used.
    """
    _check_backend_name()
    with tensorflow_start_messages.hidden() as stderr, _spinner(stderr):
        try:
            _import()
        except ModuleNotFoundError as error:
            raise ImportError(
                f"The package `{error.name}` is not installed. With "
                "KERAS_BACKEND=jax or torch, install keras-fpt[jax] or "
                "keras-fpt[torch]."
            ) from error
        except (ValueError, RuntimeError, TypeError) as error:
            raise ValueError(_describe(error)) from error


@contextlib.contextmanager
def _spinner(descriptor: int | None) -> Iterator[None]:
    """Shows a spinner on a terminal while Keras loads, which takes seconds."""
    if (
        descriptor is None
        or not os.isatty(descriptor)
        or "keras" in sys.modules
    ):
        yield
        return
    with open(os.dup(descriptor), "w", encoding="utf-8") as terminal:
        name = os.environ.get("KERAS_BACKEND") or BACKENDS[0]
        text = f"Loading Keras and its backend, {name} ..."
        with Console(file=terminal).status(text):
            yield


def _check_backend_name() -> None:
    name = os.environ.get("KERAS_BACKEND") or BACKENDS[0]
    if name not in BACKENDS:
        raise ValueError(
            "Expected the environment variable KERAS_BACKEND to be one of "
            f"{', '.join(BACKENDS)} but found {name!r}."
        )


def _describe(error: Exception) -> str:
    """Names the variables that may have caused an import error."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    variables = ", ".join(
        f"{name}={value[:80]!r}"
        for name, value in sorted(os.environ.items())
        if name.startswith(_PREFIXES) and not name.startswith(_OWN)
    )
    return (
        f"Keras and its backend cannot be loaded: {line.rstrip('.')}. Look at "
        f"the environment variables {variables or 'of Keras'} and at the file "
        "keras.json, which may have caused it."
    )


def _import() -> None:
    import keras
    import keras_hub  # noqa: F401
    import tensorflow as tf

    # It warns about tracing when several models train in a process.
    tf.get_logger().setLevel("ERROR")
    tensorflow_returned_memory.keep()
    if keras.backend.backend() != "tensorflow":
        # TensorFlow then only feeds data, but would take all memory of an
        # accelerator.
        tf.config.set_visible_devices([], "GPU")
    if keras.backend.backend() == "jax" and not _is_one_of_several():
        import jax

        jax.devices()  # Finds out whether JAX_PLATFORMS can be used.
        compilation_cache.turn_on()
    if not os.environ.get("TF_CONFIG"):
        # Several workers must be connected before devices are initialized.
        tf.config.list_logical_devices()


def _is_one_of_several() -> bool:
    """Whether JAX has, or may have, other processes to connect to."""
    return any(
        name.startswith(
            ("KERAS_DISTRIBUTION_", "JAX_COORDINATOR_", "TPU_WORKER")
        )
        for name in os.environ
    )
