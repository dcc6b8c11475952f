"""A quantized model that was loaded cannot be saved again.

The fault: a layer that is built from a map of dtype policies, as the config of
a quantized KerasHub 0.32 backbone has, keeps the map as its own policy. Where a
Keras 3.15 layer is saved, it asks its policy for the kind of quantization, and
the map has none, so the scale is not saved: `Invalid dtype: object`. No
upstream issue was found.
"""

from typing import Any

import keras


def resolve_policy(layer: Any) -> None:
    """Gives a layer the policy that a map has for it.

    Args:
        layer: a quantized Keras layer. It is changed in place.
    """
    policy = layer.dtype_policy
    if isinstance(policy, keras.dtype_policies.DTypePolicyMap):
        # The public setter would write into the map.
        layer._dtype_policy = policy[layer.path]
