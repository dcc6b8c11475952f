"""The fast path computes the same as KerasHub's blocks."""

import keras
import numpy as np
import pytest
from conftest import gpt2_backbone, jit_compile, snapshot
from families import FAMILIES, draw_weights, numpy
from keras import ops

from keras_fpt import FPTClassifier
from keras_fpt.models import fast_attention, fast_network, fast_ops

# A decoder and an encoder; of the others only outputs are compared every day,
# in test_families.py.
FAST = ["gpt2", "bert"] + [
    pytest.param(name, marks=pytest.mark.slow)
    for name in ("opt", "roberta", "distil_bert", "albert", "electra", "bart")
]
LENGTHS = np.array([6, 3, 4, 6])


def twins(name="gpt2", **arguments):
    """A fast model and one that is not, with the same weights."""
    models = []
    for fast in (True, False):
        keras.utils.set_random_seed(0)
        backbone = FAMILIES[name].build()
        draw_weights(backbone)
        models.append(
            FPTClassifier(backbone, 3, input_dim=4, fast=fast, **arguments)
        )
    fast, plain = models
    assert fast.cut.fast is not None and plain.cut.fast is None
    return fast, plain


def padded(model, tokens=6, seed=0):
    """Four sequences, two of them padded, and labels for a model."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(4, tokens, 4)).astype("float32")
    mask = (np.arange(tokens) < LENGTHS[:, None]).astype("int32")
    shape = (4, model.num_answers) if model.num_answers > 1 else (4,)
    return {"tokens": x, "padding_mask": mask}, generator.integers(0, 3, shape)


def gradients(model, x, y, jit=None):
    """The change of the weights in a step of gradient descent with rate 1."""
    model.compile(
        keras.optimizers.SGD(1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=jit_compile() if jit is None else jit,
    )
    before = snapshot(model.trainable_variables)
    model.train_on_batch(x, y)
    after = snapshot(model.trainable_variables)
    return [before[path] - after[path] for path in before]


def assert_twins(fast, plain, x, y, jit=None):
    logits = [numpy(model(x)) for model in (fast, plain)]
    np.testing.assert_allclose(*logits, atol=1e-5)
    pairs = zip(gradients(fast, x, y, jit), gradients(plain, x, y), strict=True)
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("name", FAST)
def test_logits_and_gradients_are_those_of_keras_hub(name):
    fast, plain = twins(name)
    # As Keras compiles it by default with a loss of one's own: on TensorFlow
    # with XLA, as no other test here.
    assert_twins(fast, plain, *padded(fast), jit="auto")


@pytest.mark.parametrize(
    "arguments",
    [
        {"num_output_tokens": 2, "policy": "full"},
        pytest.param({"readout": "mean"}, marks=pytest.mark.slow),
        pytest.param({"readout": "first"}, marks=pytest.mark.slow),
        pytest.param({"quantize": "int8"}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_settings_that_the_fast_path_must_heed(arguments):
    fast, plain = twins(**arguments)
    assert_twins(fast, plain, *padded(fast))


@pytest.mark.slow
@pytest.mark.parametrize("readout", ["last", "mean"])
def test_without_padding(readout):
    fast, plain = twins("bert", readout=readout)
    x, y = padded(fast)
    assert_twins(fast, plain, x["tokens"], y)


# XLA computes a part of wide blocks, on TensorFlow as well.
@pytest.mark.parametrize(
    "sizes", [{"num_layers": 4}, {"intermediate_dim": 1024}], ids=str
)
def test_blocks_have_their_own_weights(sizes):
    models = []
    for fast in (True, False):
        keras.utils.set_random_seed(0)
        backbone = gpt2_backbone(**sizes)
        draw_weights(backbone)
        models.append(FPTClassifier(backbone, 3, input_dim=4, fast=fast))
    assert_twins(*models, *padded(models[0]))


def rematerializing_twins(dropout):
    models = []
    for rematerialize in (True, False):
        keras.utils.set_random_seed(0)
        backbone = gpt2_backbone(num_layers=3, dropout=dropout)
        draw_weights(backbone)
        models.append(
            FPTClassifier(backbone, 3, input_dim=4, rematerialize=rematerialize)
        )
    return models


@pytest.mark.parametrize(
    "masked", [pytest.param(False, marks=pytest.mark.backend_free), True]
)
def test_blocks_computed_again_give_the_same_gradients(masked):
    models = rematerializing_twins(dropout=0.0)
    x, y = padded(models[0])
    assert_twins(*models, x if masked else x["tokens"], y)


def test_blocks_computed_again_drop_the_same():
    again, once = rematerializing_twins(dropout=0.3)
    x, y = padded(again)
    found = []
    for model in (again, once):
        keras.utils.set_random_seed(1)
        for variable in model.variables:
            if "seed_generator" in variable.path:
                variable.assign([1, 2])
        found.append(gradients(model, x, y))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_blocks_of_other_kinds_are_not_computed_again():
    with pytest.raises(ValueError, match="received a Llama3Backbone"):
        FPTClassifier(FAMILIES["llama3"].build(), rematerialize=True)
    with pytest.raises(ValueError, match="needs fast=True"):
        FPTClassifier(gpt2_backbone(), fast=False, rematerialize=True)


@pytest.mark.backend_free
def test_low_rank_weights_that_have_been_trained_count():
    fast, plain = twins(policy="fpt+low_rank")
    for model in (fast, plain):
        generator = np.random.default_rng(1)
        for variable in model.trainable_variables:
            if "lora" in variable.path:
                variable.assign(generator.normal(size=variable.shape))
    assert_twins(fast, plain, *padded(fast))


def test_blocks_of_other_kinds_are_left_to_keras_hub():
    model = FPTClassifier(FAMILIES["llama3"].build(), input_dim=4)
    assert model.cut.fast is None


def test_the_setting_is_kept_in_the_config():
    model = FPTClassifier(gpt2_backbone(), input_dim=4, fast=False)
    copy = FPTClassifier.from_config(model.get_config())
    assert copy.cut.fast is None


class TestAttention:
    """In more than one chunk, which `CHUNK` and a few tokens more make.

    PyTorch attends in parts in training with dropout alone, so there is so
    little that nothing is dropped.
    """

    COUNT = fast_attention.CHUNK + 9
    NONE = 1e-9

    def tensors(self):
        generator = np.random.default_rng(0)
        shape = (2, 2, self.COUNT, 4)
        return [
            ops.convert_to_tensor(generator.normal(size=shape), "float32")
            for _ in range(3)
        ]

    def assert_attends(self, causal, mask, training):
        tensors = self.tensors()
        ours = fast_attention.attend(
            *tensors,
            causal=causal,
            mask=mask,
            dropout=keras.layers.Dropout(self.NONE),
            training=training,
        )
        theirs = ops.dot_product_attention(
            *(ops.swapaxes(x, 1, 2) for x in tensors),
            mask=mask,
            is_causal=causal,
        )
        np.testing.assert_allclose(
            numpy(ours), numpy(ops.swapaxes(theirs, 1, 2)), atol=1e-5
        )

    @pytest.mark.parametrize("training", [False, True])
    def test_causal(self, training):
        self.assert_attends(True, None, training)

    @pytest.mark.parametrize("rows", [1, COUNT])
    def test_masked(self, rows):
        generator = np.random.default_rng(1)
        mask = generator.random((2, 1, rows, self.COUNT)) < 0.5
        self.assert_attends(False, ops.convert_to_tensor(mask), True)

    @pytest.mark.parametrize(
        "tokens",
        [pytest.param(6, marks=pytest.mark.backend_free), COUNT],
    )
    def test_gradients(self, tokens):
        models = []
        for fast in (True, False):
            keras.utils.set_random_seed(0)
            backbone = gpt2_backbone(
                max_sequence_length=tokens, dropout=self.NONE
            )
            models.append(FPTClassifier(backbone, 3, input_dim=4, fast=fast))
        assert_twins(*models, *padded(models[0], tokens))

    def test_dropout_of_weights(self):
        # All weights are equal and all values 1, so that an output is the
        # share of the weights that are kept, scaled up.
        _, key, _ = self.tensors()
        dropped = fast_attention.attend(
            *(ops.zeros_like(key), key, ops.ones_like(key)),
            causal=False,
            dropout=keras.layers.Dropout(0.5),
            training=True,
        )
        kept = numpy(dropped) * self.COUNT / 2
        np.testing.assert_allclose(kept, np.round(kept), atol=1e-3)
        assert len(np.unique(kept)) > 10
        assert 0.4 < kept.mean() / self.COUNT < 0.6

    @pytest.mark.parametrize("causal", [False, True])
    def test_gradients_drop_what_the_output_dropped(self, causal):
        query, key, value = map(ops.abs, self.tensors())

        def output_sum(query, value):
            keras.utils.set_random_seed(0)
            output = fast_attention.attend(
                *(query, key, value),
                causal=causal,
                dropout=keras.layers.Dropout(0.3, seed=0),
                training=True,
            )
            return ops.sum(output * query)

        back = gradient(lambda x: output_sum(query, x), value)
        # The output is linear in the values.
        np.testing.assert_allclose(
            (back * numpy(value)).sum(),
            numpy(output_sum(query, value)),
            rtol=1e-4,
        )
        back = gradient(lambda x: output_sum(x, value), query)
        step = 1e-2 * ops.sign(query)
        found = output_sum(query + step, value), output_sum(query - step, value)
        np.testing.assert_allclose(
            (back * numpy(step)).sum(),
            (numpy(found[0]) - numpy(found[1])) / 2,
            rtol=1e-2,
        )


def gradient(function, x):
    """The gradient of a function of a tensor, as an array."""
    if keras.backend.backend() == "jax":
        import jax

        return numpy(jax.grad(function)(x))
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return numpy(tape.gradient(y, x))
    x = x.clone().requires_grad_()
    function(x).backward()
    return numpy(x.grad)


# Wider tensors are computed by XLA on TensorFlow as well.
@pytest.mark.parametrize("width", [64, 1024])
def test_gelu(width):
    x = np.linspace(-20, 20, 2048, dtype="float32").reshape(-1, width)
    scale, cubic = np.sqrt(2 / np.pi), 0.044715
    exact = x.astype(float)
    tanh = np.tanh(scale * (exact + cubic * exact**3))
    slope = scale * (1 + 3 * cubic * exact**2)
    found = fast_ops.gelu_tanh(ops.convert_to_tensor(x), training=True)
    np.testing.assert_allclose(
        numpy(found), exact * (1 + tanh) / 2, rtol=1e-5, atol=1e-6
    )
    back = gradient(
        lambda x: ops.sum(fast_ops.gelu_tanh(x, training=True)),
        ops.convert_to_tensor(x),
    )
    derivative = (1 + tanh) / 2 + exact * (1 - tanh**2) / 2 * slope
    np.testing.assert_allclose(back, derivative, rtol=1e-5, atol=1e-5)


class TestDropout:
    RATE = 0.1

    def dropped(self, shape, seed=0, draws=1):
        """Ones, some of which are dropped; the last of several draws."""
        keras.utils.set_random_seed(seed)
        seeds = keras.random.SeedGenerator(seed)
        for _ in range(draws):
            dropped = fast_ops.dropout(ops.ones(shape), self.RATE, seeds)
        return numpy(dropped)

    def keep(self, *args, **kwargs):
        return (self.dropped(*args, **kwargs) > 0).astype("float32")

    @pytest.mark.parametrize("shape", [(3,), (7, 5, 3), (100, 1000)])
    def test_shape(self, shape):
        assert self.dropped(shape).shape == shape

    def test_share_of_what_is_dropped(self):
        keep = self.keep((1000, 1000))
        # Six standard deviations of a mean of a million.
        assert abs(1 - keep.mean() - self.RATE) < 6 * 0.3e-3
        # Rows, columns and neighbors are independent.
        for axis in (0, 1):
            means = keep.mean(axis)
            assert abs(means - 0.9).max() < 6 * 0.3 / np.sqrt(1000)
        together = (keep[:, :-1] * keep[:, 1:]).mean()
        assert abs(together - 0.81) < 6 * 0.4e-3

    def test_the_mean_stays(self):
        mean = self.dropped((1000, 1000)).mean()
        assert abs(mean - 1) < 6 * 0.34e-3

    def test_the_seed_decides(self):
        first, again = self.keep((50, 50), 1), self.keep((50, 50), 1)
        other = self.keep((50, 50), 2)
        assert (first == again).all() and (first != other).any()

    @pytest.mark.parametrize("other", [{"seed": 1}, {"draws": 2}])
    @pytest.mark.parametrize("moved", [0, 1, 2, 1000])
    def test_draws_do_not_depend_on_each_other(self, other, moved):
        first, second = self.keep((10**6,)), self.keep((10**6,), **other)
        # The same entries, and those that differ in one bit of their index.
        places = np.arange(10**6 - 1024) ^ moved
        both = (first[places] * second[: len(places)]).mean()
        assert abs(both - 0.81) < 6 * 0.4e-3


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="PyTorch traces nothing"
)
def test_blocks_alike_are_traced_once(monkeypatch):
    traced, original = [], fast_network.run_block

    def run_block(layer, *args):
        traced.append(layer.name)
        return original(layer, *args)

    monkeypatch.setattr(fast_network, "run_block", run_block)
    model = FPTClassifier(gpt2_backbone(num_layers=4), 3, input_dim=4)
    x, y = padded(model)
    model.train_on_batch(x, y)  # This has also determined the output shape.
    traced.clear()
    model.make_train_function(force=True)
    model.train_on_batch(x, y)
    blocks = [layer.name for layer in model.cut.fast.blocks]
    assert traced == [blocks[0], blocks[-1]]


def test_training_with_dropout_moves_no_frozen_weight():
    backbone = gpt2_backbone(num_layers=4)
    model = FPTClassifier(backbone, 3, input_dim=4, dropout=0.1)
    x, y = padded(model)
    before = snapshot(model.non_trainable_variables)
    first = numpy(model(x, training=True))
    model.fit(x, y, epochs=2, verbose=0)
    after = snapshot(model.non_trainable_variables)
    assert (first != numpy(model(x, training=True))).any()
    frozen = [path for path in before if "seed" not in path]
    assert frozen and all((before[p] == after[p]).all() for p in frozen)
    if keras.backend.backend() != "torch":  # It has a generator of its own.
        seeds = before.keys() - set(frozen)
        moved = [path for path in seeds if (before[path] != after[path]).any()]
        assert len(moved) == 1 + 4 * 3
