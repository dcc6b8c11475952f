"""Checks of files that hold a model's input, output and settings.

They may come from strangers: adapters, and the heads of presets.
"""

import contextlib

from safetensors import SafetensorError

# Each setting of `FPTClassifier.head_config`, and what JSON may give for it.
_KINDS = {
    "num_classes": int,
    "input_dim": int | None,
    "vocabulary_size": int | None,
    "num_output_tokens": int,
    "labels_per_token": int,
    "policy": str,
    "readout": str,
    "learned_positions": int | None,
    "lora_rank": int,
    "quantize": str | None,
}


@contextlib.contextmanager
def named_errors(path):
    """Turns what a damaged file raises into a `ValueError` that names it."""
    try:
        yield
    except (SafetensorError, RecursionError, TypeError, ValueError) as error:
        if f"`{path}`" in str(error):
            raise
        raise ValueError(f"`{path}` is damaged: {error}") from error


def check_settings(settings, path):
    """Checks that settings are those of an `FPTClassifier`.

    Args:
        settings: what a file's header has under `model`.
        path: the file, for errors.

    Raises:
        ValueError: a setting is missing, unknown, or of another type.
    """
    if not isinstance(settings, dict) or settings.keys() != _KINDS.keys():
        raise ValueError(
            f"`{path}` is damaged: expected the settings "
            f"{', '.join(_KINDS)} of its model."
        )
    for name, kind in _KINDS.items():
        value = settings[name]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ValueError(
                f"`{path}` is damaged: its model has {name}={value!r}."
            )
