"""Masks of padding for ESM and RoFormer."""

import functools

from keras import ops


def mask_keys(backbone):
    """Makes a backbone's attention mask the padding that is attended to.

    On TensorFlow and JAX, KerasHub 0.32 masks the queries of ESM and RoFormer
    in place of the keys, so that real tokens attend to padding. On PyTorch it
    masks the keys.

    Args:
        backbone: a KerasHub backbone. It is changed in place; without
            padding, it computes what it did.
    """
    from keras_hub.src.models.roformer_v2.roformer_v2_attention import (
        RoformerAttention,
    )

    for layer in backbone._flatten_layers():
        if isinstance(layer, RoformerAttention):  # ESM's is a subclass.
            layer.call = functools.partial(_attend, layer)


def _attend(layer, x, attention_mask=None):
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
