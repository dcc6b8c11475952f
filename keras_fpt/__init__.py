"""Frozen pretrained transformers for sequences that are not language."""

import importlib

__version__ = "0.1.0"

_PUBLIC = {"FPTClassifier": "keras_fpt.models"}
_MODULES = ("freezing", "layers", "models", "presets", "pretraining", "tasks")

__all__ = [*_PUBLIC, *_MODULES]


def __getattr__(name):
    # Keras takes seconds to import, and the command line's help needs none.
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"keras_fpt.{name}")
    raise AttributeError(f"module 'keras_fpt' has no attribute '{name}'")


def __dir__():
    return sorted([*globals(), *__all__])
