"""Frozen pretrained transformers for sequences that are not language."""

import pathlib
import sys

import lazy_loader

from keras_fpt.compat import tensorflow_start_messages
from keras_fpt.logs import add_default_handler

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

add_default_handler()


def _is_command_line() -> bool:
    """Whether this process is `keras-fpt` or `python -m keras_fpt`."""
    runs_module = sys.argv[:1] == ["-m"] and "keras_fpt" in sys.orig_argv
    return runs_module or pathlib.Path(sys.argv[0]).stem == "keras-fpt"


# Importing the models registers them with Keras, so that
# `keras.saving.load_model` finds them. The command line does not import them:
# Keras takes seconds to import, and --help does not need it.
if not _is_command_line():
    with tensorflow_start_messages.hidden():
        import keras_fpt.models.heads
    keras_fpt.compat.tensorflow_returned_memory.keep()
