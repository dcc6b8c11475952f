"""Every family of KerasHub that the cut knows; see docs/families.md."""

import warnings

import keras
import numpy as np
import pytest
from conftest import jit_compile
from families import FAMILIES, draw_weights, make_inputs, numpy, run_uncut
from keras import ops

from keras_fpt import FPTClassifier, backbones, freezing, random_weights
from keras_fpt.models.cut import cut_at_embedding
from keras_fpt.models.rebuilding import with_depth, with_dropout

# A decoder of each kind, an encoder, and one of two stacks.
FEW = ("gpt2", "llama3", "bert", "t5")
# Every day on every backend; the others on one.
EVERYWHERE = ("gpt2", "bert")


def marks(name):
    if name in EVERYWHERE:
        return ()
    return (
        pytest.mark.backend_free if FAMILIES[name].quick else pytest.mark.slow
    )


ALL = [pytest.param(name, marks=marks(name)) for name in FAMILIES]
# Three sequences of six tokens; a ViT makes its own five tokens.
MASK = (np.arange(6)[None] < np.array([3, 5, 6])[:, None]).astype("int32")
ONES = np.ones_like(MASK)


class Case:
    """A backbone, what it computes uncut, and its cut."""

    def __init__(self, name):
        self.name = name
        self.family = FAMILIES[name]
        self.backbone = self.family.build()
        draw_weights(self.backbone)
        self.inputs = make_inputs(self.backbone, ONES)
        uncut = run_uncut(self.backbone, self.inputs)
        self.embeddings, self.hidden, self.pooled = uncut
        self.cut = cut_at_embedding(self.backbone)

    def run(self, embeddings, mask=ONES):
        return run_cut(self.cut, embeddings, mask)


def run_cut(cut, embeddings, mask=ONES):
    return numpy(cut(*map(ops.convert_to_tensor, (embeddings, mask))))


@pytest.fixture(scope="module", params=ALL)
def case(request):
    return Case(request.param)


@pytest.fixture(params=ALL)
def family(request):
    return FAMILIES[request.param]


# Compiling a step takes most of its time: every day only for these two.
COMPILED = ("gpt2", "bert")
TRAINED = [
    pytest.param(
        name, False, marks=() if name in COMPILED else pytest.mark.slow
    )
    for name in FAMILIES
] + [
    pytest.param(name, True, marks=marks(name))
    for name, family in FAMILIES.items()
    if family.quick and name not in COMPILED
]


@pytest.fixture(
    params=[
        "gpt2",
        *(
            pytest.param(
                name,
                marks=pytest.mark.backend_free
                if name in FEW
                else pytest.mark.slow,
            )
            for name in FAMILIES
            if name != "gpt2"
        ),
    ]
)
def some(request):
    """A family; the everyday suite has a few."""
    return FAMILIES[request.param]


@pytest.fixture
def data():
    """Eight sequences of six tokens, most of them padded, in two classes."""
    generator = np.random.default_rng(0)
    tokens = generator.normal(size=(8, 6, 3)).astype("float32")
    lengths = np.array([6, 3, 4, 5, 6, 6, 2, 6])
    mask = (np.arange(6)[None] < lengths[:, None]).astype("int32")
    return tokens, mask, generator.integers(0, 2, 8)


class TestCut:
    def test_computes_what_the_uncut_network_does(self, case):
        hidden = case.run(case.embeddings)
        np.testing.assert_allclose(hidden, case.hidden, atol=1e-5)
        assert case.hidden.std() > 0.1
        assert case.cut.hidden_dim == hidden.shape[-1]
        assert case.cut.width == case.embeddings.shape[-1]

    def test_padding_changes_nothing(self, case):
        if not case.cut.masks_padding:
            assert case.name in ("f_net", "vit")
            return
        real = MASK.astype(bool)
        outputs = []
        for filling in (0.0, 7.0):
            padded = np.where(real[..., None], case.embeddings, filling)
            outputs.append(case.run(padded.astype("float32"), MASK)[real])
        np.testing.assert_allclose(*outputs, atol=1e-5)
        # A sequence without padding is unchanged.
        np.testing.assert_allclose(outputs[0][-6:], case.hidden[2], atol=1e-5)

    def test_pooled_output(self, case):
        assert case.family.pooled == (case.pooled is not None)
        if not case.family.pooled:
            with pytest.raises(ValueError, match="has no pooled output"):
                cut_at_embedding(case.backbone, pooled=True)
            return
        pooled = run_cut(
            cut_at_embedding(case.backbone, pooled=True), case.embeddings
        )
        np.testing.assert_allclose(pooled, case.pooled, atol=1e-5)

    def test_learned_positions_start_at_zero(self, case, data):
        plain = FPTClassifier(case.backbone, input_dim=3)
        model = FPTClassifier(case.backbone, input_dim=3, learned_positions=6)
        for old, new in zip(
            plain.input_layer.weights + plain.output_layer.weights,
            model.input_layer.weights + model.output_layer.weights,
            strict=True,
        ):
            new.assign(old)
        x = data[0][:3]
        np.testing.assert_array_equal(numpy(plain(x)), numpy(model(x)))
        positions = freezing.parameter_groups(model)["positions"]
        own = case.family.groups.get("positions", 0)
        added = freezing.count_parameters(positions) - own
        assert added == 6 * model.cut.width

    @pytest.mark.backend_free
    def test_number_of_positions(self, case):
        # ESM with absolute positions leaves out those up to its padding's id.
        expected = {"esm_absolute": 15}.get(
            case.name, case.family.arguments.get("max_sequence_length")
        )
        if case.name in ("vit", "deberta_v3"):
            expected = None
        assert case.cut.max_sequence_length == expected


@pytest.mark.backend_free
class TestGroups:
    def test_numbers_of_parameters(self, case):
        model = FPTClassifier(case.backbone, input_dim=3)
        counts = {
            group: freezing.count_parameters(variables)
            for group, variables in freezing.parameter_groups(model).items()
            if variables and group not in ("input", "output")
        }
        assert counts == case.family.groups

    @pytest.mark.backend_free
    def test_each_block_has_its_part_of_a_group(self, case):
        shared = case.name == "albert"  # Its blocks are one.
        parts = []
        for index in (0, -1 if shared else 1):
            trains = freezing.names_weight(
                case.backbone, f"feedforward:{index}"
            )
            parts.append(
                {v.path for v in case.backbone.weights if trains(v.path)}
            )
        assert parts[0] and parts[1]
        assert (parts[0] == parts[1]) == shared
        groups = freezing.parameter_groups(
            FPTClassifier(case.backbone, input_dim=3)
        )
        assert parts[0] | parts[1] == {v.path for v in groups["feedforward"]}
        with pytest.raises(ValueError, match="names block 2"):
            freezing.names_weight(case.backbone, "feedforward:2")

    @pytest.mark.backend_free
    def test_norms_are_the_weights_of_norm_layers(self, case):
        model = FPTClassifier(case.backbone)
        groups = freezing.parameter_groups(model)
        norms = [
            variable
            for layer in model.backbone._flatten_layers()
            if "norm" in type(layer).__name__.lower()
            for variable in layer.weights
        ]
        assert {id(v) for v in groups["layer_norm"]} == set(map(id, norms))


@pytest.mark.backend_free
class TestNames:
    def test_are_unique_and_the_same_for_another_backbone(self, case):
        names = backbones.weights_by_name(case.backbone)
        assert list(names) == list(
            backbones.weights_by_name(case.family.build())
        )
        assert len(names) == len(case.backbone.weights)


@pytest.mark.backend_free
class TestRandomWeights:
    def test_are_gpt2s_in_every_family(self, family):
        backbone = family.build()
        random_weights.randomize(backbone, seed=3)
        scales = []
        for name, variable in backbones.parameters_by_name(backbone).items():
            value = numpy(variable)
            group = freezing.backbone_group(variable.path)
            if name.split("#")[0].endswith(("bias", "beta")):
                assert (value == 0).all(), name
            elif group == "layer_norm":
                assert len(np.unique(value)) == 1, name
            else:
                draws = random_weights.generator(3, name)
                ratio = value / draws.normal(0.0, 0.02, value.shape)
                np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-4)
                scales.append(ratio.mean())
        # Two projections into the residual stream in a block, of which there
        # are 2; no attention's in FNet, and one block for all in ALBERT.
        scaled = [scale for scale in scales if scale < 0.9]
        np.testing.assert_allclose(scaled, 0.5, rtol=1e-4)
        decoder = {"T5": 6, "Bart": 6, "T5Gemma": 6, "QwenMoe": 2}
        expected = {"FNet": 2, "Albert": 2}.get(family.backbone, 4)
        assert len(scaled) == expected + decoder.get(family.backbone, 0)

    @pytest.mark.backend_free
    def test_norms_scale_nothing(self, family):
        backbone = family.build()
        random_weights.randomize(backbone, seed=3)
        x = np.random.default_rng(0).normal(size=(2, 64))
        for layer in backbone._flatten_layers():
            kind = type(layer).__name__
            if "Norm" not in kind or kind == "Qwen3_5RMSNormGated":
                continue
            (dim, *_) = layer.weights[0].shape
            y = numpy(layer(ops.convert_to_tensor(x[:, :dim], "float32")))
            mean_square = (y.astype("float64") ** 2).mean(-1)
            np.testing.assert_allclose(mean_square, 1.0, atol=1e-3)

    def test_leave_constants(self):
        backbone = FAMILIES["smollm3"].build()
        constant = backbones.weights_by_name(backbone)["rotary_emb/inv_freq"]
        before = numpy(constant)
        random_weights.randomize(backbone, seed=3)
        random_weights.match_statistics(backbone, seed=3)
        np.testing.assert_array_equal(numpy(constant), before)
        model = FPTClassifier(backbone, policy="full")
        assert not constant.trainable
        assert all(v is not constant for v in model.trainable_variables)


@pytest.mark.backend_free
class TestStatistics:
    def test_are_kept_tensor_by_tensor(self, family):
        backbone = family.build()
        random_weights.randomize(backbone, seed=3)
        draw_weights(backbone)
        parameters = backbones.parameters_by_name(backbone)
        old = {name: numpy(v) for name, v in parameters.items()}
        random_weights.match_statistics(backbone, seed=3)
        for name, variable in parameters.items():
            new = numpy(variable).astype("float64")
            mean, std = (
                old[name].mean(dtype="float64"),
                old[name].std(dtype="float64"),
            )
            error = 5 * std / np.sqrt(new.size)
            assert abs(new.mean() - mean) <= error + 1e-9, name
            assert abs(new.std() - std) <= error + 1e-9, name
            assert (new != old[name]).all(), name
            draws = random_weights.generator(3, "statistics", name)
            expected = draws.normal(mean, std, new.shape)
            np.testing.assert_allclose(new, expected, rtol=1e-6, atol=1e-8)


class TestRebuilding:
    def test_dropout(self, case):
        backbone = with_dropout(case.backbone, 0.5)
        cut = cut_at_embedding(backbone)
        hidden = run_cut(cut, case.embeddings)
        np.testing.assert_allclose(hidden, case.hidden, atol=1e-5)
        inputs = map(ops.convert_to_tensor, (case.embeddings, ONES))
        trained = numpy(cut(*inputs, training=True))
        assert (np.abs(trained - hidden).max() > 1e-3) == case.family.dropout
        assert with_dropout(backbone, 0.5) is backbone

    def test_depth_is_the_first_block_and_the_final_norm(self, case):
        backbone = with_depth(case.backbone, 1)
        hidden = run_cut(cut_at_embedding(backbone), case.embeddings)
        expected = numpy(self.first_block_and_norm(case))
        np.testing.assert_allclose(hidden, expected, atol=1e-5)
        assert np.abs(hidden - case.hidden).max() > 1e-2
        assert with_depth(case.backbone, 2) is case.backbone

    def first_block_and_norm(self, case):
        if case.name == "vit":
            encoder = case.backbone.get_layer("vit_encoder")
            embeddings = ops.convert_to_tensor(case.embeddings)
            return encoder.layer_norm(encoder.encoder_layers[0](embeddings))
        (block, *_) = getattr(case.backbone, case.family.blocks)
        if isinstance(block, list):  # ALBERT's group of blocks.
            (block,) = block
        inputs = {
            name: tensor
            for name, tensor in case.backbone.input.items()
            if not name.startswith("decoder")
        }
        network = keras.Model(inputs, block._inbound_nodes[0].outputs[0])
        hidden = network({name: case.inputs[name] for name in inputs})
        if case.family.final_norm is not None:
            hidden = getattr(case.backbone, case.family.final_norm)(hidden)
        return hidden

    @pytest.mark.backend_free
    def test_llama_with_tied_embeddings(self, data, tmp_path):
        backbone = FAMILIES["llama3"].build(tie_word_embeddings=True)
        model = FPTClassifier(backbone, input_dim=3, depth=1, dropout=0.1)
        expected = numpy(model(data[0]))
        model.save_to_preset(tmp_path / "preset")
        loaded = FPTClassifier.from_preset(tmp_path / "preset")
        assert loaded.backbone.token_embedding.tie_weights
        np.testing.assert_array_equal(numpy(loaded(data[0])), expected)
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(numpy(loaded(data[0])), expected)

    @pytest.mark.backend_free
    def test_albert_with_groups_keeps_its_depth(self):
        albert = FAMILIES["albert"].build(num_layers=4, num_groups=2)
        with pytest.raises(ValueError, match="2 groups of blocks"):
            with_depth(albert, 2)


class TestTraining:
    def values(self, variables):
        return [numpy(v) for v in variables]

    def fit(self, model, data):
        """Five steps, and what they changed, with all gradients present."""
        tokens, mask, y = data
        x = tokens
        if model.cut.masks_padding:
            x = {"tokens": tokens, "padding_mask": mask}
        before = self.values(model.weights)
        with warnings.catch_warnings():
            warnings.filterwarnings("error", ".*[Gg]radients.*")
            for _ in range(5):
                model.train_on_batch(x, y)
        after = self.values(model.weights)
        changed = [
            (old != new).any() for old, new in zip(before, after, strict=True)
        ]
        return {
            id(variable)
            for variable, has_changed in zip(
                model.weights, changed, strict=True
            )
            if has_changed
        }

    @pytest.mark.parametrize(("name", "eagerly"), TRAINED)
    def test_frozen_means_frozen(self, name, eagerly, data):
        model = FPTClassifier(FAMILIES[name].build(), input_dim=3)
        model.run_eagerly = eagerly
        changed = self.fit(model, data)
        groups = freezing.parameter_groups(model)
        used = {id(v) for v in model.cut.weights}
        for group in ("input", "positions", "layer_norm", "output"):
            for variable in groups.pop(group):
                is_used = group in ("input", "output") or id(variable) in used
                assert (id(variable) in changed) == is_used, variable.path
        for variables in groups.values():
            assert not changed & {id(v) for v in variables}

    @pytest.mark.parametrize(
        ("name", "unused"),
        [
            ("bert", {"pooled_dense"}),
            pytest.param(
                "t5",
                {"transformer_decoder_layer_0"},
                marks=pytest.mark.backend_free,
            ),
        ],
    )
    def test_full_leaves_what_is_unused(self, name, unused, data):
        model = FPTClassifier(
            FAMILIES[name].build(), input_dim=3, policy="full"
        )
        changed = self.fit(model, data)
        for variable in model.weights:
            # Biases of keys get no gradient from softmax, up to rounding.
            if "key/bias" not in variable.path:
                assert (id(variable) in changed) == variable.trainable
        still = {v.path.split("/")[0] for v in model.non_trainable_variables}
        assert unused <= still

    @pytest.mark.backend_free
    def test_low_rank_changes_nothing_at_first(self, case, data):
        backbone = case.family.build()
        model = FPTClassifier(backbone, input_dim=3)
        x = data[0][:3]
        before = numpy(model(x))
        model.set_policy("fpt+low_rank")
        np.testing.assert_allclose(numpy(model(x)), before, atol=1e-6)
        adapters = freezing.parameter_groups(model)["low_rank"]
        assert adapters
        assert all(variable.trainable for variable in adapters)

    @pytest.mark.parametrize(
        "name",
        [
            "gpt2",
            *(
                pytest.param(name, marks=pytest.mark.backend_free)
                for name in ("smollm3", "t5", "esm", "vit")
            ),
        ],
    )
    def test_low_rank_trains(self, name, data):
        model = FPTClassifier(
            FAMILIES[name].build(),
            input_dim=3,
            policy="fpt+low_rank",
            lora_rank=2,
        )
        changed = self.fit(model, data)
        groups = freezing.parameter_groups(model)
        assert changed >= {id(v) for v in groups["low_rank"]}
        kernels = groups["attention"] + groups["feedforward"]
        assert not changed & {id(v) for v in kernels}


class TestQuantization:
    def models(self, family, mode):
        """One as it is and one quantized, with equal weights besides."""
        backbone = family.build()
        draw_weights(backbone)
        plain = FPTClassifier(backbone, input_dim=3)
        copy = family.build()
        for old, new in zip(backbone.weights, copy.weights, strict=True):
            new.assign(numpy(old))
        model = FPTClassifier(copy, input_dim=3, quantize=mode)
        for old, new in zip(
            plain.input_layer.weights + plain.output_layer.weights,
            model.input_layer.weights + model.output_layer.weights,
            strict=True,
        ):
            new.assign(numpy(old))
        return plain, model

    def test_int8_is_the_network_of_the_rounded_weights(self, some, data):
        plain, model = self.models(some, "int8")
        layers = zip(
            plain.backbone._flatten_layers(),
            model.backbone._flatten_layers(),
            strict=True,
        )
        for layer, quantized in layers:
            if type(layer) is keras.layers.Embedding:
                scale = numpy(quantized.embeddings_scale)[:, None]
                rows = numpy(quantized._embeddings).astype("float32")
                layer._embeddings.assign(rows / scale)
            if type(layer) in (keras.layers.Dense, keras.layers.EinsumDense):
                scale = quantized.kernel_scale
                if isinstance(layer, keras.layers.EinsumDense):
                    scale = quantized._adjust_scale_for_dequant(scale)
                kernel = numpy(quantized._kernel).astype("float32")
                layer._kernel.assign(kernel / numpy(scale))
        x = data[0]
        if plain.cut.masks_padding:
            x = {"tokens": data[0], "padding_mask": data[1]}
        np.testing.assert_allclose(numpy(model(x)), numpy(plain(x)), atol=1e-4)
        # The change of the weights shows the gradient through every block.
        for each in (plain, model):
            each.compile(
                keras.optimizers.SGD(0.1),
                keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                jit_compile=jit_compile(),
            )
            each.train_on_batch(x, data[2])
        for old, new in zip(
            plain.trainable_variables, model.trainable_variables, strict=True
        ):
            np.testing.assert_allclose(numpy(new), numpy(old), atol=1e-4)

    @pytest.mark.parametrize("mode", ["int8", "int4"])
    def test_only_frozen_matrices(self, some, data, mode):
        plain, model = self.models(some, mode)
        names = backbones.weights_by_name(plain.backbone).keys()
        groups = freezing.parameter_groups(model)
        for group in ("attention", "feedforward"):
            kernels = [v for v in groups[group] if v.path.endswith("/kernel")]
            assert all(str(v.dtype) == "int8" for v in kernels)
        # New variables have the names of the old ones.
        added = backbones.weights_by_name(model.backbone).keys() - names
        endings = ("_scale", "_zero", "g_idx")
        assert all(name.split("#")[0].endswith(endings) for name in added)
        trained = {id(v) for v in model.trainable_variables}
        changed = TestTraining().fit(model, data)
        assert changed <= trained
        assert {id(v) for v in groups["input"]} <= changed

    @pytest.mark.backend_free
    @pytest.mark.parametrize("mode", ["int8", "int4"])
    def test_saved_and_loaded(self, data, mode, tmp_path):
        _, model = self.models(FAMILIES["llama3"], mode)
        expected = numpy(model(data[0]))
        model.save_to_preset(tmp_path / "preset")
        loaded = FPTClassifier.from_preset(tmp_path / "preset")
        np.testing.assert_array_equal(numpy(loaded(data[0])), expected)
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(numpy(loaded(data[0])), expected)

    @pytest.mark.backend_free
    def test_int8_takes_a_quarter_of_the_memory_and_of_the_preset(
        self, tmp_path
    ):
        sizes = {"hidden_dim": 128, "intermediate_dim": 512}
        memory, disk = [], []
        for mode in (None, "int8"):
            backbone = FAMILIES["gpt2"].build(vocabulary_size=2000, **sizes)
            model = FPTClassifier(backbone, input_dim=3, quantize=mode)
            memory.append(
                sum(numpy(v).nbytes for v in model.non_trainable_variables)
            )
            model.save_to_preset(tmp_path / str(mode))
            file = tmp_path / str(mode) / "model.weights.h5"
            disk.append(file.stat().st_size)
        for whole, part in (memory, disk):
            assert 0.25 < part / whole < 0.3

    @pytest.mark.backend_free
    def test_what_is_quantized_cannot_train(self):
        _, model = self.models(FAMILIES["gpt2"], "int8")
        with pytest.raises(ValueError, match="trains the group 'attention'"):
            model.set_policy("fpt+attention")
        with pytest.raises(ValueError, match="found nothing to quantize"):
            FPTClassifier(
                FAMILIES["gpt2"].build(), policy="full", quantize="int8"
            )
        with pytest.raises(ValueError, match="quantized as int8 already"):
            FPTClassifier(model.backbone, quantize="int4")
        with pytest.raises(ValueError, match="Unknown quantization 'int2'"):
            FPTClassifier(FAMILIES["gpt2"].build(), quantize="int2")

    def test_low_rank_trains_on_top(self, data):
        _, model = self.models(FAMILIES["llama3"], "int8")
        model.set_policy("fpt+low_rank")
        changed = TestTraining().fit(model, data)
        low_rank = freezing.parameter_groups(model)["low_rank"]
        assert {id(v) for v in low_rank} <= changed
