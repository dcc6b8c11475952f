"""Backbones from GGUF files, the format of llama.cpp."""

import math
import re
from typing import Any

import numpy as np

from keras_fpt import backbones
from keras_fpt.presets.gguf_reader import GGUFFile

# The name of each tensor in a file, and of the KerasHub weights that it holds,
# stacked. First the tensors of the whole model, then those of each block.
_LLAMA = {
    "token_embd.weight": ["token_embedding/embeddings"],
    "output_norm.weight": ["sequence_output_layernorm/scale"],
    "output.weight": ["token_embedding/reverse_embeddings"],
    "rope_freqs.weight": [],
}
_LLAMA_BLOCK = {
    "attn_norm.weight": ["self_attention_layernorm/scale"],
    "attn_q.weight": ["self_attention/query/kernel"],
    "attn_k.weight": ["self_attention/key/kernel"],
    "attn_v.weight": ["self_attention/value/kernel"],
    "attn_output.weight": ["self_attention/attention_output/kernel"],
    "ffn_norm.weight": ["feedforward_layernorm/scale"],
    "ffn_gate.weight": ["feedforward_gate_dense/kernel"],
    "ffn_up.weight": ["feedforward_intermediate_dense/kernel"],
    "ffn_down.weight": ["feedforward_output_dense/kernel"],
}
_GPT2 = {
    "token_embd.weight": ["token_embedding/embeddings"],
    "position_embd.weight": ["position_embedding/embeddings"],
    "output_norm.weight": ["layer_norm/gamma"],
    "output_norm.bias": ["layer_norm/beta"],
    # Some files repeat the token embedding, which GPT-2 ties, under this.
    "output.weight": [],
}
_GPT2_BLOCK = {
    "attn_norm.weight": ["self_attention_layer_norm/gamma"],
    "attn_norm.bias": ["self_attention_layer_norm/beta"],
    "attn_qkv.weight": [
        "self_attention/query/kernel",
        "self_attention/key/kernel",
        "self_attention/value/kernel",
    ],
    "attn_qkv.bias": [
        "self_attention/query/bias",
        "self_attention/key/bias",
        "self_attention/value/bias",
    ],
    "attn_output.weight": ["self_attention/attention_output/kernel"],
    "attn_output.bias": ["self_attention/attention_output/bias"],
    "ffn_norm.weight": ["feedforward_layer_norm/gamma"],
    "ffn_norm.bias": ["feedforward_layer_norm/beta"],
    "ffn_up.weight": ["feedforward_intermediate_dense/kernel"],
    "ffn_up.bias": ["feedforward_intermediate_dense/bias"],
    "ffn_down.weight": ["feedforward_output_dense/kernel"],
    "ffn_down.bias": ["feedforward_output_dense/bias"],
}
_OPTIONAL = ("output.weight", "rope_freqs.weight")

# How Llama 3.1 to 3.3 stretch rotary wavelengths. A file contains only the
# divisors of the frequencies that follow from this.
_LLAMA3_ROPE = {
    "rope_low_freq_factor": 1.0,
    "rope_high_freq_factor": 4.0,
    "rope_pretraining_sequence_length": 8192,
}


def load(path: str, load_weights: bool = True, dtype: Any = None) -> Any:
    """Builds a KerasHub backbone from a GGUF file.

    Quantized tensors are dequantized, one at a time.

    Args:
        path: string, the file. Its architecture is `llama`, which gives a
            `Llama3Backbone` (as KerasHub builds from such a Hugging Face
            folder), or `gpt2`, which gives a `GPT2Backbone`.
        load_weights: bool. `False` keeps KerasHub's initial weights.
        dtype: Keras dtype or policy of the backbone; `None` is the global
            one.

    Returns:
        A KerasHub backbone.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file cannot be read, or holds tensors or settings
            that KerasHub's backbone does not have.

    Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
    """
    architectures = {
        "llama": (_LLAMA, _LLAMA_BLOCK, _build_llama),
        "gpt2": (_GPT2, _GPT2_BLOCK, _build_gpt2),
    }
    file = GGUFFile(path)
    if file.architecture not in architectures:
        raise file.error(
            f"its architecture is '{file.architecture}', and only "
            f"{' and '.join(architectures)} are supported."
        )
    table, block_table, build = architectures[file.architecture]
    targets = _match(file, table, block_table)
    backbone = build(file, dtype)
    if load_weights:
        weights = backbones.weights_by_name(backbone)
        for tensor, names in targets.items():
            _assign(file, tensor, {name: weights[name] for name in names})
    return backbone


def _match(
    file: GGUFFile, table: dict, block_table: dict
) -> dict[str, list[str]]:
    """The names of the weights that each tensor of a file holds.

    Raises:
        ValueError: the file lacks a tensor, or has one that is unknown.
    """
    targets = dict(table)
    num_blocks = file.size("block_count")
    if num_blocks > len(file.tensors):
        raise file.error(
            f"it has {len(file.tensors)} tensors, too few for {num_blocks} "
            "blocks."
        )
    for i in range(num_blocks):
        for tensor, names in block_table.items():
            targets[f"blk.{i}.{tensor}"] = [
                f"transformer_layer_{i}/{name}" for name in names
            ]
    for tensor in targets:
        if tensor not in file.tensors and tensor not in _OPTIONAL:
            raise file.error(f"it lacks the tensor `{tensor}`.")
    unknown = sorted(file.tensors.keys() - targets.keys())
    if unknown:
        raise file.error(
            f"it has {len(unknown)} tensors that KerasHub's "
            f"{file.architecture} backbone does not have, the first "
            f"`{unknown[0]}`."
        )
    return {name: targets[name] for name in file.tensors}


def _check_sizes(file: GGUFFile, feedforward: str) -> tuple[int, int]:
    """The width and the number of heads, once the tensors confirm them.

    Without the check, a small file could ask for a backbone that fills the
    memory.
    """
    hidden_dim = file.size("embedding_length")
    file.check_shape(
        "token_embd.weight", (file.shape("token_embd.weight")[0], hidden_dim)
    )
    file.check_shape(
        feedforward, (file.size("feed_forward_length"), hidden_dim)
    )
    num_heads = file.size("attention.head_count")
    if hidden_dim % num_heads:
        raise file.error(
            f"its width {hidden_dim} is not a multiple of its {num_heads} "
            "heads."
        )
    return hidden_dim, num_heads


def _build_llama(file: GGUFFile, dtype: Any) -> Any:
    import keras_hub

    hidden_dim, num_heads = _check_sizes(file, "blk.0.ffn_gate.weight")
    num_key_value_heads = file.size("attention.head_count_kv", num_heads)
    if num_heads % num_key_value_heads:
        raise file.error(
            f"its {num_heads} heads are not a multiple of its "
            f"{num_key_value_heads} heads of keys and values."
        )
    head_dim = hidden_dim // num_heads
    for key in (
        "attention.key_length",
        "attention.value_length",
        "rope.dimension_count",
    ):
        if file.get(key, head_dim) != head_dim:
            raise file.error(
                f"`llama.{key}` is {file.get(key)}, but KerasHub's backbone "
                f"uses {head_dim}: the width {hidden_dim} divided by "
                f"{num_heads} heads."
            )
    wavelength = file.number("rope.freq_base", 10000.0)
    return keras_hub.models.Llama3Backbone(
        vocabulary_size=file.shape("token_embd.weight")[0],
        num_layers=file.size("block_count"),
        num_query_heads=num_heads,
        num_key_value_heads=num_key_value_heads,
        hidden_dim=hidden_dim,
        intermediate_dim=file.size("feed_forward_length"),
        rope_max_wavelength=wavelength,
        layer_norm_epsilon=file.number("attention.layer_norm_rms_epsilon"),
        tie_word_embeddings="output.weight" not in file.tensors,
        dtype=dtype,
        **_rope_scaling(file, wavelength, head_dim),
    )


def _rope_scaling(
    file: GGUFFile, wavelength: float, head_dim: int
) -> dict[str, float]:
    kind = file.get("rope.scaling.type", "linear")
    factor = file.get("rope.scaling.factor", file.get("rope.scale_linear", 1.0))
    if type(factor) not in (int, float):
        raise file.error(
            f"its scaling factor is {factor!r}. Expected a number."
        )
    # KerasHub's Llama has an argument for linear scaling but does not use it.
    if kind != "none" and (kind != "linear" or factor not in (0.0, 1.0)):
        raise file.error(
            f"it scales rotary positions ('{kind}', factor {factor:g}), but "
            "KerasHub's Llama does not."
        )
    if "rope_freqs.weight" not in file.tensors:
        return {}
    divisors = file.read_tensor("rope_freqs.weight", (head_dim // 2,))
    factor = float(divisors.max())
    low, high, length = _LLAMA3_ROPE.values()
    wavelengths = (
        2 * np.pi * wavelength ** (np.arange(0, head_dim, 2) / head_dim)
    )
    share = np.clip((length / wavelengths - low) / (high - low), 0, 1)
    expected = 1 / ((1 - share) / factor + share)
    if not np.allclose(divisors, expected, rtol=1e-4):
        raise file.error(
            "its tensor `rope_freqs.weight` scales rotary frequencies "
            "differently from Llama 3.1 to 3.3, but KerasHub's Llama cannot."
        )
    return {"rope_frequency_adjustment_factor": factor, **_LLAMA3_ROPE}


def _build_gpt2(file: GGUFFile, dtype: Any) -> Any:
    import keras_hub

    hidden_dim, num_heads = _check_sizes(file, "blk.0.ffn_up.weight")
    epsilon = file.number("attention.layer_norm_epsilon")
    if not math.isclose(epsilon, 1e-5, rel_tol=1e-5):
        raise file.error(
            f"`gpt2.attention.layer_norm_epsilon` is {epsilon:g}, and "
            "KerasHub's GPT-2 has 1e-05."
        )
    return keras_hub.models.GPT2Backbone(
        vocabulary_size=file.shape("token_embd.weight")[0],
        num_layers=file.size("block_count"),
        num_heads=num_heads,
        hidden_dim=hidden_dim,
        intermediate_dim=file.size("feed_forward_length"),
        max_sequence_length=file.shape("position_embd.weight")[0],
        dtype=dtype,
    )


def _assign(file: GGUFFile, tensor: str, weights: dict[str, Any]) -> None:
    """Assigns one tensor of a file to the weights that it holds."""
    if not weights:
        return
    shapes = [_stored_shape(name, v.shape) for name, v in weights.items()]
    rows = sum(shape[0] for shape in shapes)
    values = file.read_tensor(tensor, (rows, *shapes[0][1:]))
    for (name, variable), part in zip(
        weights.items(), np.split(values, len(weights)), strict=True
    ):
        if file.architecture == "llama" and re.search("/(query|key)/", name):
            part = _unpermute(part, num_heads=variable.shape[1])
        if _is_kernel(name):
            part = part.T
        variable.assign(part.reshape(variable.shape))


def _is_kernel(name: str) -> bool:
    return name.endswith(("/kernel", "/reverse_embeddings"))


def _stored_shape(name: str, shape: tuple) -> tuple[int, ...]:
    """The shape of a weight in GGUF: kernels are (outputs, inputs).

    The heads and their dimensions are one axis there.
    """
    if _is_kernel(name):
        split = -1 if "attention_output" in name else 1
        return math.prod(shape[split:]), math.prod(shape[:split])
    if name.endswith("/embeddings"):
        return tuple(shape)
    return (math.prod(shape),)


def _unpermute(rows: np.ndarray, num_heads: int) -> np.ndarray:
    """Puts each head's rows back in the order of Hugging Face and KerasHub.

    They rotate row i of a head together with row i + head_dim / 2, and
    llama.cpp has made these two rows neighbors.
    """
    pairs = rows.reshape(num_heads, -1, 2, rows.shape[1])
    return pairs.swapaxes(1, 2).reshape(rows.shape)
