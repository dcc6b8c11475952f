"""ESM and RoFormer mask queries instead of keys.

The fault: on TensorFlow and JAX, the attention of KerasHub 0.32's ESM and
RoFormer V2 masks padding among the queries instead of the keys, so that real
tokens attend to padding. On PyTorch it masks the keys.

No upstream issue was found.
"""

import functools
from typing import Any

from keras import ops

from keras_fpt.compat import keras_internals


def mask_keys(backbone: Any) -> None:
    """Keeps a backbone's tokens from attending to padding.

    Args:
        backbone: a KerasHub backbone. It is changed in place if it is an ESM
            or a RoFormer. Its outputs without padding stay the same.
    """
    from keras_hub.src.models.roformer_v2.roformer_v2_attention import (
        RoformerAttention,
    )

    for layer in keras_internals.flatten_layers(backbone):
        if isinstance(layer, RoformerAttention):  # ESM's is a subclass.
            layer.call = functools.partial(_attend, layer)


def _attend(layer: Any, x: Any, attention_mask: Any = None) -> Any:
    shape = (*ops.shape(x)[:2], layer.heads, layer.head_size)
    query, key, value = (
        ops.reshape(dense(x), shape)
        for dense in (layer.q_dense, layer.k_dense, layer.v_dense)
    )
    if not hasattr(layer, "use_rotary"):
        query, key = layer.rotary_embedding_layer([query, key])
    elif layer.use_rotary:
        query, key = layer.rotary_embedding_layer(query, key)
    mask = None if attention_mask is None else attention_mask[:, None, None, :]
    output = ops.dot_product_attention(query, key, value, mask=mask)
    return layer.o_dense(ops.reshape(output, (*shape[:2], -1)))
