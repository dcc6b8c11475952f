"""On TensorFlow, `layer.trainable = True` does nothing where it is `True`.

The fault: on TensorFlow, an assignment of the value that an attribute of a
Keras 3.15 layer already has returns immediately. The setter of `trainable` is
not called, so the frozen layers within a layer whose own flag is `True` stay
frozen. No upstream issue was found.
"""

from typing import Any

import keras


def repair() -> None:
    """Lets assignments to `trainable` reach the setter, for every layer.

    It does nothing on other backends.
    """
    if keras.backend.backend() != "tensorflow":
        return
    from keras.src.backend.tensorflow.trackable import KerasAutoTrackable

    original = KerasAutoTrackable.__setattr__
    if hasattr(original, "repaired"):
        return

    def assign(layer: Any, name: str, value: Any) -> None:
        setter = getattr(type(layer), name, None)
        if name == "trainable" and isinstance(setter, property):
            setter.__set__(layer, value)
        else:
            original(layer, name, value)

    assign.repaired = original  # type: ignore[attr-defined]
    KerasAutoTrackable.__setattr__ = assign
