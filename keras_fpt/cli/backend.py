"""Imports Keras and its backend without start-up messages."""

import os
import sys
import tempfile


def load_backend() -> None:
    """Imports Keras, KerasHub and TensorFlow without start-up messages.

    TensorFlow writes to the file descriptor itself, regardless of Python's
    streams and its own environment variables. Its messages are shown if the
    import fails.

    Raises:
        ImportError: the backend is not installed.
    """
    if not os.environ.get("TF_CPP_MIN_LOG_LEVEL"):
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            _import()
        except ModuleNotFoundError as error:
            raise ImportError(
                f"The package `{error.name}` is not installed. With "
                "KERAS_BACKEND=jax or torch, install keras-fpt[jax] or "
                "keras-fpt[torch]."
            ) from error
        except BaseException:
            messages.seek(0)
            os.write(saved, messages.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def _import() -> None:
    import keras
    import keras_hub  # noqa: F401
    import tensorflow as tf

    # It warns about tracing when several models train in a process.
    tf.get_logger().setLevel("ERROR")
    if keras.backend.backend() != "tensorflow":
        # TensorFlow then only feeds data, but would take all memory of an
        # accelerator.
        tf.config.set_visible_devices([], "GPU")
    if not os.environ.get("TF_CONFIG"):
        # Several workers must be connected before devices are initialized.
        tf.config.list_logical_devices()
