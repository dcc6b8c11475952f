"""Low-rank weights that Keras loses when a model is saved and loaded.

The fault: a `Dense` or `EinsumDense` layer with LoRA saves the sum of its
matrix and the low-rank product, which it rounds to integers if it is
quantized, and loads two factors of zero. The gradient of each factor is a
product with the other, so neither ever trains again. Seen with Keras 3.15; no
upstream issue was found.
"""

from collections.abc import Iterator
from typing import Any

import keras
from keras import ops
from keras.src.saving.keras_saveable import KerasSaveable

from keras_fpt.compat import keras_internals


class LowRankState(KerasSaveable):
    """Saves the weights of layers with LoRA as they are, next to Keras's sum.

    A model holds it as an attribute. Keras saves and loads the attributes of a
    model by name, so a name after that of the backbone loads these weights
    last.

    Args:
        backbone: a KerasHub backbone.
    """

    def __init__(self, backbone: Any) -> None:
        self._backbone = backbone

    def _obj_type(self) -> str:
        return "Operation"

    def save_own_variables(self, store: Any) -> None:
        for index, layer in self._layers():
            for position, variable in enumerate(layer.weights):
                store[f"{index}_{position}"] = variable

    def load_own_variables(self, store: Any) -> None:
        for index, layer in self._layers():
            names = [f"{index}_{n}" for n in range(len(layer.weights))]
            if all(name in store for name in names):
                for name, variable in zip(names, layer.weights, strict=True):
                    variable.assign(store[name])
            elif not ops.any(layer.lora_kernel_a != 0):
                # A file without these weights, as older versions wrote them:
                # the product is part of the matrix, and another one starts.
                draw = keras.initializers.HeUniform()
                layer.lora_kernel_a.assign(
                    draw(layer.lora_kernel_a.shape, layer.lora_kernel_a.dtype)
                )

    def _layers(self) -> Iterator[tuple[int, Any]]:
        for index, layer in enumerate(dense_layers(self._backbone)):
            if layer.lora_enabled:
                yield index, layer


def dense_layers(backbone: Any) -> Iterator[Any]:
    """The layers of a backbone that can have LoRA, in a fixed order."""
    layers = keras_internals.flatten_layers(backbone, include_self=False)
    for layer in layers:
        if isinstance(layer, keras.layers.Dense | keras.layers.EinsumDense):
            yield layer
