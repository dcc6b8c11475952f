"""A layer of weights in int8 quantizes its inputs once it is loaded again.

The fault: the dtype policy of a layer, which is all that KerasHub 0.32 saves
of its quantization, says `int8` but not whether Keras 3.15 quantized the
activations as well. A layer that is built from such a policy quantizes them.

No upstream issue was found. The pull request
https://github.com/keras-team/keras/pull/21928 keeps the setting in the config
of a layer, but KerasHub's backbones do not save the configs of their layers.
"""

from typing import Any


def keep_activations(layer: Any) -> None:
    """Leaves the inputs of a layer as floats, regardless of its policy.

    Args:
        layer: a quantized Keras layer. It is changed in place.
    """
    layer.inputs_quantizer = None
