import os
import pathlib

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import keras_fpt
from keras_fpt import backbones, presets
from keras_fpt.runs import RunConfig, resolve

pytestmark = pytest.mark.backend_free

gguf = pytest.importorskip("gguf")
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

BLOCKS = 2


def llama(**overrides):
    config = transformers.LlamaConfig(
        **{
            "vocab_size": 50,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": BLOCKS,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "rms_norm_eps": 1e-3,
            "rope_parameters": {"rope_type": "default", "rope_theta": 5000.0},
            "tie_word_embeddings": False,
            **overrides,
        }
    )
    return with_random_weights(transformers.LlamaForCausalLM(config))


def gpt2():
    config = transformers.GPT2Config(
        vocab_size=50,
        n_positions=32,
        n_embd=64,
        n_layer=BLOCKS,
        n_head=4,
        bos_token_id=0,
        eos_token_id=0,
    )
    return with_random_weights(transformers.GPT2LMHeadModel(config))


def with_random_weights(model):
    """As fresh from Transformers, all norms are the same and biases zero."""
    generator = torch.Generator().manual_seed(0)
    for weight in model.parameters():
        mean, scale = (1.0, 0.1) if weight.ndim == 1 else (0.0, 0.2)
        noise = torch.randn(weight.shape, generator=generator)
        weight.data = mean + scale * noise
    return model.eval()


def llama_metadata(config):
    return {
        "block_count": config.num_hidden_layers,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.layer_norm_rms_epsilon": config.rms_norm_eps,
        "rope.dimension_count": config.head_dim,
        "rope.freq_base": config.rope_parameters["rope_theta"],
    }


def gpt2_metadata(config):
    return {
        "block_count": config.n_layer,
        "context_length": config.n_positions,
        "embedding_length": config.n_embd,
        "feed_forward_length": 4 * config.n_embd,
        "attention.head_count": config.n_head,
        "attention.layer_norm_epsilon": config.layer_norm_epsilon,
    }


def convert(model, kind="F32"):
    """The file that llama.cpp's convert_hf_to_gguf.py makes of a model.

    The model's own weights become those that `kind` can hold.

    Returns:
        The architecture, the metadata and the tensors: pairs of an array and
        its type, by name.
    """
    config = model.config
    names = gguf.get_tensor_name_map(
        {v: k for k, v in gguf.MODEL_ARCH_NAMES.items()}[config.model_type],
        BLOCKS,
    )
    metadata = {"llama": llama_metadata, "gpt2": gpt2_metadata}
    tensors = {}
    for name, weight in model.named_parameters():
        # GPT-2's Conv1D layers hold (inputs, outputs).
        is_transposed = config.model_type == "gpt2" and any(
            part in name for part in ("attn.weight", "proj.weight", "fc.weight")
        )
        values = weight.detach().T if is_transposed else weight.detach()
        stored = gguf.GGMLQuantizationType[kind if values.ndim > 1 else "F32"]
        held = gguf.quants.dequantize(
            gguf.quants.quantize(values.numpy().copy(), stored), stored
        )
        weight.data = torch.tensor(held.T if is_transposed else held)
        if "q_proj" in name:
            held = permute(held, config.num_attention_heads)
        if "k_proj" in name:
            held = permute(held, config.num_key_value_heads)
        file_name = names.get_name(name, try_suffixes=(".weight", ".bias"))
        array = gguf.quants.quantize(np.ascontiguousarray(held), stored)
        tensors[file_name] = array, stored
    return config.model_type, metadata[config.model_type](config), tensors


def permute(weights, num_heads):
    """As in llama.cpp's conversion/llama.py."""
    halves = weights.reshape(
        num_heads, 2, weights.shape[0] // num_heads // 2, weights.shape[1]
    )
    return halves.swapaxes(1, 2).reshape(weights.shape)


def write(path, architecture, metadata, tensors, **arguments):
    """Writes a GGUF file and returns the preset that names it."""
    writer = gguf.GGUFWriter(path, architecture, **arguments)
    # JAX can take memory over, instead of copying it, where it is aligned so.
    writer.add_custom_alignment(64)
    add = {
        int: writer.add_uint32,
        float: writer.add_float32,
        str: writer.add_string,
        list: writer.add_array,
    }
    for key, value in metadata.items():
        add[type(value)](f"{architecture}.{key}", value)
    writer.add_token_list(["a", "b"])
    for name, (array, kind) in tensors.items():
        writer.add_tensor(name, array, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return f"gguf:{path}"


def hidden_states(backbone, tokens):
    inputs = {"token_ids": tokens, "padding_mask": np.ones_like(tokens)}
    return keras.ops.convert_to_numpy(backbone(inputs))


def assert_same_hidden_states(backbone, model):
    tokens = np.random.default_rng(0).integers(0, 50, (3, 20))
    with torch.no_grad():
        expected = model.base_model(torch.tensor(tokens)).last_hidden_state
    ours = hidden_states(backbone, tokens.astype("int32"))
    np.testing.assert_allclose(ours, expected.numpy(), atol=1e-5)


@pytest.fixture(scope="module")
def parts():
    """Architecture, metadata and tensors of a small Llama; do not change."""
    return convert(llama())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.gguf"


@pytest.mark.parametrize("kind", ["F32", "F16", "Q8_0"])
@pytest.mark.parametrize("make", [llama, gpt2])
def test_hidden_states_are_those_of_transformers(make, kind, path):
    model = make()
    backbone = presets.load_backbone(write(path, *convert(model, kind)))
    assert_same_hidden_states(backbone, model)


@pytest.mark.parametrize("is_tied", [False, True])
def test_output_embedding(is_tied, path):
    model = llama(tie_word_embeddings=is_tied)
    embedding = presets.load_backbone(
        write(path, *convert(model))
    ).token_embedding
    assert embedding.tie_weights == is_tied
    hidden = np.random.default_rng(0).normal(size=(2, 64)).astype("float32")
    logits = keras.ops.convert_to_numpy(embedding(hidden, reverse=True))
    expected = model.lm_head(torch.tensor(hidden)).detach().numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_every_weight_is_read(parts, path):
    preset = write(path, *parts)
    fresh = presets.load_backbone(preset, load_weights=False)
    loaded = backbones.weights_by_name(presets.load_backbone(preset))
    for name, weight in backbones.weights_by_name(fresh).items():
        assert (
            keras.ops.convert_to_numpy(weight)
            != keras.ops.convert_to_numpy(loaded[name])
        ).any(), name


def llama3_divisors(config):
    rope = transformers.modeling_rope_utils.ROPE_INIT_FUNCTIONS["llama3"]
    base, dim = config.rope_parameters["rope_theta"], config.head_dim
    plain = 1.0 / base ** (np.arange(0, dim, 2) / dim)
    stretched, _ = rope(config, "cpu")
    return (plain / stretched.numpy()).astype("float32")


LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


def test_rotary_frequencies_of_llama_3_1(path):
    model = llama(rope_parameters=LLAMA3, max_position_embeddings=131072)
    architecture, metadata, tensors = convert(model)
    divisors = llama3_divisors(model.config)
    assert divisors.min() < 1.001 and divisors.max() > 31.9
    tensors["rope_freqs.weight"] = divisors, None
    backbone = presets.load_backbone(
        write(path, architecture, metadata, tensors)
    )
    assert_same_hidden_states(backbone, model)


def test_fresh_weights(parts, path):
    preset = write(path, *parts)

    def weights(**arguments):
        backbone = presets.load_backbone(
            preset, load_weights=False, **arguments
        )
        return backbone.get_weights()

    expected = presets.load_backbone(preset)
    keras_fpt.random_weights.randomize(expected, seed=3)
    for fresh, value in zip(
        weights(seed=3), expected.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(fresh, value)
    assert (weights(seed=3)[0] != weights(seed=4)[0]).any()


@pytest.mark.parametrize("load_weights", [True, False])
def test_dtype(load_weights, parts, path):
    backbone = presets.load_backbone(
        write(path, *parts), load_weights, dtype="bfloat16"
    )
    dtypes = {
        keras.backend.standardize_dtype(w.dtype) for w in backbone.weights
    }
    assert dtypes == {"bfloat16"}


def test_weights_outlive_the_file(path):
    model = llama()
    backbone = presets.load_backbone(write(path, *convert(model)))
    path.write_bytes(bytes(path.stat().st_size))
    assert_same_hidden_states(backbone, model)


@pytest.mark.parametrize("name", ["model.gguf", "./model.gguf", "~/model.gguf"])
def test_relative_path(name, parts, path, monkeypatch):
    write(path, *parts)
    monkeypatch.chdir(path.parent)
    monkeypatch.setenv("HOME", str(path.parent))
    assert presets.load_backbone(f"gguf:{name}").num_layers == BLOCKS
    run = resolve(RunConfig(task="bit_xor", preset=f"gguf:{name}"))
    assert run.preset.text == f"gguf:{path}"


def test_classifier_from_a_file(parts, path):
    preset = write(path, *parts)
    model = keras_fpt.FPTClassifier.from_preset(preset, num_classes=3)
    assert model.num_classes == 3
    for ours, expected in zip(
        model.backbone.get_weights(),
        presets.load_backbone(preset).get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, expected)


class TestErrors:
    def check(self, path, parts, match, metadata=None, tensors=None):
        """Checks that a file with these changes is refused, by name."""
        architecture, own_metadata, own_tensors = parts
        own_metadata = {**own_metadata, **(metadata or {})}
        own_tensors = {**own_tensors, **(tensors or {})}
        preset = write(
            path,
            architecture,
            {k: v for k, v in own_metadata.items() if v is not None},
            {k: v for k, v in own_tensors.items() if v is not None},
        )
        with pytest.raises(ValueError, match=match) as error:
            presets.load_backbone(preset)
        assert str(path) in str(error.value)

    def test_missing_file(self, path):
        with pytest.raises(FileNotFoundError, match=f"no GGUF file `{path}`"):
            presets.load_backbone(f"gguf:{path}")

    def test_folder(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no GGUF file"):
            presets.load_backbone(f"gguf:{tmp_path}")

    @pytest.mark.parametrize("content", [b"", b"GG", b"<!doctype html>" * 99])
    def test_another_file(self, content, path):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"{path}`: it is not a GGUF file"):
            presets.load_backbone(f"gguf:{path}")

    def test_file_cut_off(self, parts, path):
        preset = write(path, *parts)
        whole = path.read_bytes()

        # The last tensor is followed by less than 64 bytes of padding.
        @given(st.integers(0, len(whole) - 64))
        def check(size):
            path.write_bytes(whole[:size])
            with pytest.raises(ValueError, match=f"{path}`: .*cut off"):
                presets.load_backbone(preset)

        check()

    def test_architecture(self, parts, path):
        with pytest.raises(
            ValueError, match="'qwen2', and only llama and gpt2"
        ):
            presets.load_backbone(write(path, "qwen2", *parts[1:]))

    @pytest.mark.parametrize(
        ("number", "match"),
        [
            (99, "`blk.1.attn_q.weight` has the unknown quantization type 99"),
            (24, "`blk.1.attn_q.weight` has the type I8"),
        ],
    )
    def test_quantization_type(self, number, match, parts, path):
        preset = write(path, *parts)
        content = bytearray(path.read_bytes())
        name = b"blk.1.attn_q.weight"
        # After the name: the number of dimensions, two dimensions, the type.
        at = content.index(name) + len(name) + 4 + 2 * 8
        assert content[at : at + 4] == bytes(4)  # F32
        content[at] = number
        path.write_bytes(content)
        with pytest.raises(ValueError, match=match):
            presets.load_backbone(preset)

    @pytest.mark.parametrize(
        "name", ["token_embd.weight", "blk.1.ffn_up.weight"]
    )
    def test_missing_tensor(self, name, parts, path):
        match = f"lacks the tensor `{name}`"
        self.check(path, parts, match, tensors={name: None})

    def test_tensor_of_another_shape(self, parts, path):
        wide = np.zeros((96, 32), "float32"), None
        match = (
            r"`blk.0.ffn_up.weight` to have the shape \(96, 64\).* \(96, 32\)"
        )
        self.check(path, parts, match, tensors={"blk.0.ffn_up.weight": wide})

    def test_tensor_that_keras_hub_has_no_place_for(self, parts, path):
        bias = np.zeros(64, "float32"), None
        match = "1 tensors .* does not have, the first `blk.0.attn_q.bias`"
        self.check(path, parts, match, tensors={"blk.0.attn_q.bias": bias})

    def test_missing_metadata(self, parts, path):
        match = "lacks `llama.attention.head_count`"
        self.check(path, parts, match, metadata={"attention.head_count": None})

    def test_heads_that_differ_from_block_to_block(self, parts, path):
        match = r"head_count_kv` is \[2, 4\]"
        metadata = {"attention.head_count_kv": [2, 4]}
        self.check(path, parts, match, metadata=metadata)

    @pytest.mark.parametrize(
        "key", ["attention.key_length", "rope.dimension_count"]
    )
    def test_width_of_heads(self, key, parts, path):
        match = f"`llama.{key}` is 8, but KerasHub's backbone uses 16"
        self.check(path, parts, match, metadata={key: 8})

    @pytest.mark.parametrize(
        ("fields", "match"),
        [
            (
                {"general.architecture": ["gpt2", "x"]},
                "`general.architecture` is .*Expected text",
            ),
            ({"general.architecture": 3}, "`general.architecture` is 3"),
            ({"llama.attention.head_count": []}, r"head_count` is \[\]"),
            ({"llama.attention.head_count": [[4], [4, 4]]}, "head_count` is"),
        ],
    )
    def test_metadata_of_another_type(
        self, fields, match, parts, path, monkeypatch
    ):
        preset = write(path, *parts)
        contents = gguf.ReaderField.contents

        def changed(field, *arguments):
            return fields.get(field.name, contents(field, *arguments))

        monkeypatch.setattr(gguf.ReaderField, "contents", changed)
        with pytest.raises(ValueError, match=f"{path.name}.*{match}"):
            presets.load_backbone(preset)

    @pytest.mark.parametrize("count", ["many", [1, 2]])
    def test_number_of_parts_of_another_type(
        self, count, parts, path, monkeypatch
    ):
        write(path, *parts, split_max_tensors=12)
        next(path.parent.glob("model-00001-of-*.gguf")).rename(path)
        contents = gguf.ReaderField.contents

        def changed(field, *arguments):
            is_count = field.name == "split.count"
            return count if is_count else contents(field, *arguments)

        monkeypatch.setattr(gguf.ReaderField, "contents", changed)
        with pytest.raises(ValueError, match="`split.count` is .*whole number"):
            presets.load_backbone(f"gguf:{path}")

    def test_weights_that_are_not_finite(self, parts, path):
        name = "blk.0.ffn_norm.weight"
        broken = np.full(64, np.nan, "float32"), None
        match = f"`{name}` holds NaN"
        self.check(path, parts, match, tensors={name: broken})

    @pytest.mark.parametrize("kind", ["linear", "yarn"])
    def test_scaled_positions(self, kind, parts, path):
        metadata = {"rope.scaling.type": kind, "rope.scaling.factor": 4.0}
        match = f"scales rotary positions .'{kind}', factor 4"
        self.check(path, parts, match, metadata=metadata)

    def test_rotary_frequencies_of_another_kind(self, parts, path):
        divisors = np.linspace(1, 8, 8).astype("float32"), None
        match = "`rope_freqs.weight` scales rotary frequencies differently"
        self.check(path, parts, match, tensors={"rope_freqs.weight": divisors})

    def test_epsilon_of_gpt2(self, path):
        metadata = {"attention.layer_norm_epsilon": 1e-3}
        match = "epsilon` is 0.001, and KerasHub's GPT-2 has 1e-05"
        self.check(path, convert(gpt2()), match, metadata=metadata)

    def test_other_byte_order(self, parts, path):
        order = gguf.GGUFEndian.BIG
        with pytest.raises(ValueError, match="other byte order"):
            presets.load_backbone(write(path, *parts, endianess=order))

    def test_part_by_its_name(self, parts, tmp_path):
        path = tmp_path / "model-00001-of-00003.gguf"
        with pytest.raises(ValueError, match="one of 3 parts.*gguf-split"):
            presets.load_backbone(write(path, *parts))

    @pytest.mark.parametrize("part", [1, 2])
    def test_part_by_its_metadata(self, part, parts, path):
        write(path, *parts, split_max_tensors=12)
        (found,) = path.parent.glob(f"model-0000{part}-of-*.gguf")
        found.rename(path)
        with pytest.raises(ValueError, match="one of 2 parts.*gguf-split"):
            presets.load_backbone(f"gguf:{path}")


@pytest.mark.slow
def test_published_file_has_the_weights_of_its_folder():
    folder = pathlib.Path(os.environ.get("KERAS_FPT_TEST_MODELS", "nowhere"))
    file = folder / "SmolLM2-135M-Instruct.Q4_1.gguf"
    if not (file.is_file() and (folder / "smollm2").is_dir()):
        pytest.skip(
            f"no smollm2/ beside `{file}`: KERAS_FPT_TEST_MODELS names the "
            "folder of both"
        )
    ours = backbones.weights_by_name(presets.load_backbone(f"gguf:{file}"))
    theirs = backbones.weights_by_name(
        presets.load_backbone(str(folder / "smollm2"))
    )
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(weight),
            keras.ops.convert_to_numpy(theirs[name]),
            rtol=1e-6,
            err_msg=name,
        )
