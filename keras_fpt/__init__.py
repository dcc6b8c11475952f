"""Frozen pretrained transformers for sequences that are not language."""

import importlib
import pathlib
import sys

__version__ = "0.1.0"

_PUBLIC = {
    "AdapterSet": "keras_fpt.models",
    "FPTClassifier": "keras_fpt.models",
}
_MODULES = (
    "distribution",
    "freezing",
    "layers",
    "models",
    "presets",
    "pretraining",
    "tasks",
)

__all__ = [*_PUBLIC, *_MODULES]


def __getattr__(name):
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"keras_fpt.{name}")
    raise AttributeError(f"module 'keras_fpt' has no attribute '{name}'")


def __dir__():
    return sorted([*globals(), *__all__])


# Importing the models registers them with Keras, so that
# `keras.saving.load_model` finds them. Only the command line does without:
# Keras takes seconds to import, and its help needs none of it.
if pathlib.Path(sys.argv[0]).stem != "keras-fpt":
    importlib.import_module("keras_fpt.models")
