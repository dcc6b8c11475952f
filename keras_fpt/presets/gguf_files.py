"""Backbones from GGUF files, the format of llama.cpp."""

import math
import os
import re

import numpy as np

from keras_fpt import backbones

SCHEME = "gguf:"

# Each tensor of a file and the KerasHub weights that are in it, one below the
# other: first those of the whole model, then those of each block.
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
# What the gguf package raises on files that are damaged.
_UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
    MemoryError,
    RecursionError,  # lists in lists in lists
)
_OPTIONAL = ("output.weight", "rope_freqs.weight")

# Of Llama 3.1 to 3.3: how far rotary wavelengths are stretched. A file holds
# only the divisors of the frequencies that follow from these.
_LLAMA3_ROPE = {
    "rope_low_freq_factor": 1.0,
    "rope_high_freq_factor": 4.0,
    "rope_pretraining_sequence_length": 8192,
}


def load(preset, load_weights=True, dtype=None):
    """Builds a KerasHub backbone from a GGUF file.

    Quantised tensors are dequantised, one at a time.

    Args:
        preset: string, `"gguf:FILE"`. The architecture of the file is
            `llama` (gives a `Llama3Backbone`, as KerasHub makes of such a
            Hugging Face folder) or `gpt2` (gives a `GPT2Backbone`).
        load_weights: bool. `False` leaves the weights as KerasHub draws them.
        dtype: Keras dtype or policy of the backbone; `None` is the global
            one.

    Returns:
        A KerasHub backbone.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file cannot be read, or holds what KerasHub's
            backbone has no place for.

    Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
    """
    architectures = {
        "llama": (_LLAMA, _LLAMA_BLOCK, _build_llama),
        "gpt2": (_GPT2, _GPT2_BLOCK, _build_gpt2),
    }
    file = _File(os.path.expanduser(preset.removeprefix(SCHEME)))
    if file.architecture not in architectures:
        raise file.error(
            f"its architecture is '{file.architecture}', and only "
            f"{' and '.join(architectures)} work."
        )
    table, block_table, build = architectures[file.architecture]
    targets = _match(file, table, block_table)
    backbone = build(file, dtype)
    if load_weights:
        weights = backbones.weights_by_name(backbone)
        for tensor, names in targets.items():
            _assign(file, tensor, {name: weights[name] for name in names})
    return backbone


class _File:
    """A GGUF file: its metadata, its tensors, and errors that name it."""

    def __init__(self, path):
        self.path = path
        if not os.path.isfile(path):
            raise FileNotFoundError(f"There is no GGUF file `{path}`.")
        try:
            reader = _reader(path)
            # A tokenizer's fields are many and large, and not needed here.
            self.fields = {
                key: field.contents()
                for key, field in reader.fields.items()
                if not key.startswith("tokenizer.")
            }
        except _UNREADABLE as error:
            raise self.error(
                "it is not a GGUF file, or cut off, damaged, or newer than "
                f"the installed gguf package. That said: {error}"
            ) from error
        if reader.byte_order == "S":
            raise self.error("it is of the other byte order than this machine.")
        self.tensors = {tensor.name: tensor for tensor in reader.tensors}
        named = re.search(r"-\d{5}-of-(\d{5})\.gguf$", path)
        parts = int(named[1]) if named else self.fields.get("split.count", 1)
        if parts > 1:
            raise self.error(
                f"it is one of {parts} parts. Merge them with llama.cpp: "
                "`llama-gguf-split --merge FIRST_PART.gguf WHOLE.gguf`."
            )
        self.architecture = self.fields.get("general.architecture")

    def error(self, detail):
        return ValueError(
            f"Could not load the GGUF file `{self.path}`: {detail}"
        )

    def get(self, key, default=None):
        """A value of the metadata, by its key after the architecture."""
        key = f"{self.architecture}.{key}"
        value = self.fields.get(key, default)
        if value is None:
            raise self.error(f"its metadata lacks `{key}`.")
        if isinstance(value, list):  # one a block
            if len(set(value)) != 1:
                raise self.error(
                    f"`{key}` is {value}, and KerasHub has one value for all "
                    "blocks."
                )
            return value[0]
        return value

    def size(self, key, default=None):
        """A value that must be a whole number of at least 1."""
        value = self.get(key, default)
        if type(value) is not int or value < 1:
            raise self.error(
                f"`{self.architecture}.{key}` is {value!r}. Expected a whole "
                "number of at least 1."
            )
        return value

    def number(self, key, default=None):
        """A value that must be a finite number above 0."""
        value = self.get(key, default)
        if type(value) not in (int, float) or not 0 < value < math.inf:
            raise self.error(
                f"`{self.architecture}.{key}` is {value!r}. Expected a number "
                "above 0."
            )
        return value

    def shape(self, name):
        # GGUF counts dimensions from the innermost.
        return tuple(int(size) for size in reversed(self.tensors[name].shape))

    def check_shape(self, name, shape):
        if self.shape(name) != shape:
            raise self.error(
                f"expected its tensor `{name}` to have the shape {shape}, "
                f"from its metadata, but it has {self.shape(name)}."
            )

    def read(self, name, shape):
        """A tensor as float32, in memory of its own."""
        import gguf

        tensor = self.tensors[name]
        self.check_shape(name, shape)
        try:
            values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        except NotImplementedError as error:
            raise self.error(
                f"its tensor `{name}` has the type "
                f"{tensor.tensor_type.name}, which the gguf package cannot "
                "dequantise."
            ) from error
        # A view of the file would change with the file.
        return np.array(values, "float32")


def _reader(path):
    import gguf

    known = set(gguf.GGMLQuantizationType)

    class Reader(gguf.GGUFReader):
        # The package reads nothing, again and again, past the file's end.
        def _get(self, offset, dtype, count=1, override_order=None):
            count = int(count)
            end = offset + np.dtype(dtype).itemsize * count
            if end > len(self.data):
                raise ValueError(
                    f"it ends at byte {len(self.data):,}, before {end:,}."
                )
            return super()._get(offset, dtype, count, override_order)

        # On a type it does not know, the package does not say whose it is.
        def _build_tensors(self, start_offs, fields):
            for field in fields:
                number = int(field.parts[4][0])
                if number not in known:
                    raise ValueError(
                        f"the tensor `{field.name}` has the unknown "
                        f"quantisation type {number}."
                    )
            super()._build_tensors(start_offs, fields)

    return Reader(path)


def _match(file, table, block_table):
    """The weights in each tensor; the file has all tensors and no others."""
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
            f"{file.architecture} backbone has no place for, the first "
            f"`{unknown[0]}`."
        )
    return {name: targets[name] for name in file.tensors}


def _check_sizes(file, feedforward):
    """The width and the number of heads, as the tensors confirm them.

    Otherwise a small file could ask for a backbone that fills the memory.
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
            f"its width {hidden_dim} is no multiple of its {num_heads} heads."
        )
    return hidden_dim, num_heads


def _build_llama(file, dtype):
    import keras_hub

    hidden_dim, num_heads = _check_sizes(file, "blk.0.ffn_gate.weight")
    num_key_value_heads = file.size("attention.head_count_kv", num_heads)
    if num_heads % num_key_value_heads:
        raise file.error(
            f"its {num_heads} heads are no multiple of its "
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
                f"`llama.{key}` is {file.get(key)}, and KerasHub's backbone "
                f"has {head_dim} for it: the width {hidden_dim} by "
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


def _rope_scaling(file, wavelength, head_dim):
    kind = file.get("rope.scaling.type", "linear")
    factor = file.get("rope.scaling.factor", file.get("rope.scale_linear", 1.0))
    if type(factor) not in (int, float):
        raise file.error(f"its factor of scaling is {factor!r}.")
    # KerasHub's Llama takes a factor of linear scaling but does not use it.
    if kind != "none" and (kind != "linear" or factor not in (0.0, 1.0)):
        raise file.error(
            f"it scales rotary positions ('{kind}', factor {factor:g}), and "
            "KerasHub's Llama does not."
        )
    if "rope_freqs.weight" not in file.tensors:
        return {}
    divisors = file.read("rope_freqs.weight", (head_dim // 2,))
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
            "otherwise than Llama 3.1 to 3.3 do, and KerasHub's Llama cannot."
        )
    return {"rope_frequency_adjustment_factor": factor, **_LLAMA3_ROPE}


def _build_gpt2(file, dtype):
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


def _assign(file, tensor, weights):
    """Gives the weights that are in one tensor their values."""
    if not weights:
        return
    shapes = [_stored_shape(name, v.shape) for name, v in weights.items()]
    rows = sum(shape[0] for shape in shapes)
    values = file.read(tensor, (rows, *shapes[0][1:]))
    for (name, variable), part in zip(
        weights.items(), np.split(values, len(weights)), strict=True
    ):
        if file.architecture == "llama" and re.search("/(query|key)/", name):
            part = _unpermute(part, num_heads=variable.shape[1])
        if _is_kernel(name):
            part = part.T
        variable.assign(part.reshape(variable.shape))


def _is_kernel(name):
    return name.endswith(("/kernel", "/reverse_embeddings"))


def _stored_shape(name, shape):
    """A weight's shape in GGUF: kernels are (outputs, inputs), heads flat."""
    if _is_kernel(name):
        split = -1 if "attention_output" in name else 1
        return math.prod(shape[split:]), math.prod(shape[:split])
    if name.endswith("/embeddings"):
        return tuple(shape)
    return (math.prod(shape),)


def _unpermute(rows, num_heads):
    """Puts each head's rows back in the order of Hugging Face and KerasHub.

    They rotate row i of a head with row i + head_dim / 2; llama.cpp has made
    the two neighbours.
    """
    pairs = rows.reshape(num_heads, -1, 2, rows.shape[1])
    return pairs.swapaxes(1, 2).reshape(rows.shape)
