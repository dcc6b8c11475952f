"""A stack trains each classifier as it would train alone."""

import keras
import numpy as np
import pytest
from conftest import gpt2_backbone, snapshot
from families import FAMILIES, draw_weights, numpy

from keras_fpt import FPTClassifier
from keras_fpt.models import StackedClassifiers, paper_optimizer

RATES = (1e-3, 3e-3, 1e-2)
STEPS, BATCH, TOKENS = 5, 4, 6


def classifiers(rates=RATES, name="gpt2", **arguments):
    """Classifiers that differ in their rates and in their new layers."""
    made = []
    for seed, rate in enumerate(rates):
        backbone = FAMILIES[name].build(dropout=0.0)
        draw_weights(backbone)
        keras.utils.set_random_seed(seed)
        arguments = {"num_classes": 3, "input_dim": 4, **arguments}
        made.append(FPTClassifier(backbone, **arguments))
        made[-1].compile(paper_optimizer(rate), jit_compile=jitted())
    return made


def jitted():
    return keras.backend.backend() == "jax"


def examples(classifier):
    """Tokens, some of them padding, and labels for five steps."""
    generator = np.random.default_rng(0)
    shape = STEPS * BATCH, TOKENS
    if classifier.vocabulary_size is None:
        x = generator.normal(size=(*shape, 4)).astype("float32")
    else:
        x = generator.integers(0, classifier.vocabulary_size, shape)
    lengths = generator.integers(3, TOKENS + 1, shape[0])
    mask = (np.arange(TOKENS) < lengths[:, None]).astype("int32")
    answers = classifier.num_answers
    y = generator.integers(
        0,
        max(classifier.num_classes, 2),
        shape[0] if answers == 1 else (shape[0], answers),
    )
    if classifier.readout == "flatten":  # It reads all tokens.
        return {"tokens": x}, y
    return {"tokens": x, "padding_mask": mask}, y


FIT = {"batch_size": BATCH, "shuffle": False, "verbose": 0}


def assert_same(stack, stacked, alone, x, y, each=lambda x, number: x):
    """Losses, answers, weights and states are those of classifiers alone."""
    history = stack.fit(x, y, **FIT).history
    predictions = stack.predict(x, verbose=0)
    frozen = [snapshot(one.non_trainable_variables) for one in stacked]
    stack.unstack()
    for number, (one, other) in enumerate(zip(stacked, alone, strict=True)):
        own_x = keras.tree.map_structure(lambda x, n=number: each(x, n), x)
        lonely = other.fit(own_x, each(y, number), **FIT).history
        assert history.keys() == lonely.keys()
        for name, values in lonely.items():
            np.testing.assert_allclose(
                [epoch[number] for epoch in history[name]], values, atol=1e-5
            )
        np.testing.assert_allclose(
            predictions[:, number],
            other.predict(own_x, verbose=0),
            atol=1e-5,
        )
        pairs = zip(
            [*one.trainable_variables, *one.optimizer.variables],
            [*other.trainable_variables, *other.optimizer.variables],
            strict=True,
        )
        for ours, theirs in pairs:
            np.testing.assert_allclose(
                numpy(ours), numpy(theirs), atol=1e-5, err_msg=ours.path
            )
        for path, value in snapshot(one.non_trainable_variables).items():
            assert (value == frozen[number][path]).all()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("gpt2", {}),
        pytest.param(
            "bert",
            {
                "vocabulary_size": 7,
                "input_dim": None,
                "num_output_tokens": 2,
                "learned_positions": TOKENS,
            },
            marks=pytest.mark.backend_free,
        ),
        pytest.param(
            "bert",
            {"vocabulary_size": 7, "input_dim": None},
            marks=pytest.mark.slow,
        ),
        pytest.param("opt", {"readout": "mean"}, marks=pytest.mark.slow),
        pytest.param(
            "gpt2",
            {
                "patch_size": 4,
                "patch_stride": 2,
                "instance_norm": True,
                "readout": "last+mean",
            },
            marks=pytest.mark.backend_free,
        ),
        pytest.param(
            "gpt2",
            {"patch_size": 2, "readout": "flatten", "sequence_length": TOKENS},
            marks=pytest.mark.slow,
        ),
        pytest.param("albert", {}, marks=pytest.mark.slow),
        pytest.param("gpt2", {"num_classes": 1}, marks=pytest.mark.slow),
        pytest.param("gpt2", {"policy": "output"}, marks=pytest.mark.slow),
    ],
)
def test_each_trains_as_if_it_were_alone(name, arguments):
    stacked, alone = (classifiers(name=name, **arguments) for _ in range(2))
    x, y = examples(alone[0])
    stack = StackedClassifiers(stacked)
    assert_same(stack, stacked, alone, x, y)


def test_each_may_see_its_own_batches_and_the_stack_continues():
    stacked, alone = classifiers(RATES[:2]), classifiers(RATES[:2])
    _, y = examples(alone[0])
    generator = np.random.default_rng(1)
    x = generator.normal(size=(len(y), 2, TOKENS, 4)).astype("float32")
    y = np.stack([y, y[::-1]], axis=1)

    def each(values, number):
        return values[:, number]

    assert_same(StackedClassifiers(stacked), stacked, alone, x, y, each)
    # A second stack begins with the state of the optimizers.
    assert_same(StackedClassifiers(stacked), stacked, alone, x, y, each)


def test_one_that_diverges_does_not_affect_the_others():
    rates = 1e-3, 1e30, 3e-3
    stacked, alone = classifiers(rates), classifiers(rates)
    x, y = examples(alone[0])
    stack = StackedClassifiers(stacked)
    losses = stack.fit(x, y, **FIT).history["loss"][-1]
    assert (np.isfinite(losses) == [True, False, True]).all()
    for number in (0, 2):
        loss = alone[number].fit(x, y, **FIT).history["loss"][-1]
        np.testing.assert_allclose(losses[number], loss, atol=1e-5)
    stack.unstack()
    for number in (0, 2):
        pairs = zip(stacked[number].weights, alone[number].weights, strict=True)
        for ours, theirs in pairs:
            np.testing.assert_allclose(numpy(ours), numpy(theirs), atol=1e-5)


def test_what_was_unstacked_answers_as_the_stack_did():
    stacked = classifiers()
    x, y = examples(stacked[0])
    stack = StackedClassifiers(stacked)
    stack.fit(x, y, **FIT)
    found = stack.evaluate(x, y, batch_size=BATCH, verbose=0)
    stack.unstack()
    for number, one in enumerate(stacked):
        own = one.evaluate(x, y, verbose=0, return_dict=True)
        for name, value in own.items():
            np.testing.assert_allclose(found[name][number], value, atol=1e-5)


def test_precision_and_dropout_are_those_of_the_classifiers():
    stacked = []
    for seed in range(2):
        keras.utils.set_random_seed(0)
        backbone = gpt2_backbone(dropout=0.2, dtype="mixed_bfloat16")
        keras.utils.set_random_seed(seed)
        stacked.append(FPTClassifier(backbone, 3, input_dim=4))
    x, y = examples(stacked[0])
    stack = StackedClassifiers(stacked)
    logits = numpy(stack(x))
    for number, one in enumerate(stacked):
        np.testing.assert_allclose(logits[:, number], numpy(one(x)), atol=2e-2)
    assert (logits != numpy(stack(x, training=True))).any()
    assert np.isfinite(stack.fit(x, y, **FIT).history["loss"]).all()


@pytest.mark.backend_free
def test_learning_rate_schedules():
    def with_schedules():
        made = classifiers((1e-3, 1e-2))
        decay = keras.optimizers.schedules.CosineDecay(1e-2, STEPS)
        made[1].compile(paper_optimizer(decay), jit_compile=jitted())
        return made

    stacked, alone = with_schedules(), with_schedules()
    x, y = examples(alone[0])
    history = StackedClassifiers(stacked).fit(x, y, **FIT).history
    for number, one in enumerate(alone):
        loss = one.fit(x, y, **FIT).history["loss"]
        np.testing.assert_allclose(history["loss"][0][number], loss[0], 1e-5)


@pytest.mark.backend_free
class TestWhatCannotBeStacked:
    def refused(self, message, *made):
        with pytest.raises(ValueError, match=message):
            StackedClassifiers(made)

    def test_none(self):
        self.refused("at least one classifier")

    def test_other_blocks(self):
        backbone = FAMILIES["llama3"].build(dropout=0.0)
        one = FPTClassifier(backbone, 3, input_dim=4)
        self.refused("blocks of GPT-2, OPT, BERT.*Llama3Backbone", one)

    def test_a_policy_that_trains_the_blocks(self):
        made = classifiers(RATES[:1], policy="fpt+attention")
        self.refused("policy 'fpt.attention' trains `backbone/.*atten", *made)

    def test_other_frozen_weights(self):
        made = classifiers(RATES[:2])
        frozen = next(
            v for v in made[1].backbone.weights if "feedforward" in v.path
        )
        frozen.assign(frozen + 1)
        self.refused("same frozen weights.*feedforward.* number 1", *made)

    def test_other_sizes(self):
        (one,) = classifiers(RATES[:1])
        (other,) = classifiers(RATES[:1], num_classes=4)
        self.refused(
            "same num_classes, but number 1 has 4 and number 0 has", one, other
        )

    def test_other_options(self):
        (one,) = classifiers(RATES[:1])
        (other,) = classifiers(RATES[:1], readout="mean")
        message = (
            "same readout, but number 1 has 'mean' and number 0 has 'last'"
        )
        self.refused(message, one, other)

    def test_an_option_that_a_stack_does_not_heed(self):
        made = classifiers(RATES[:1], quantize="int8")
        self.refused("quantize='int8', which cannot be stacked", *made)
        backbone = FAMILIES["bert"].build(dropout=0.0)
        one = FPTClassifier(backbone, 3, input_dim=4, readout="pooled")
        self.refused("readout='pooled', which cannot be stacked", one)

    def test_another_optimizer_or_loss(self):
        one, other = classifiers(RATES[:2])
        one.compile(keras.optimizers.SGD(0.1))
        self.refused("number 0 has another one. Train it separately", one)
        other.compile(loss="mse")
        self.refused("cross-entropy; number 0 has another", other)

    def test_one_that_is_not_built(self):
        one = FPTClassifier(gpt2_backbone(), 3)
        self.refused("not built and compiled", one)

    @pytest.mark.parametrize(
        "option",
        [
            {"channel_independent": "mean"},
            {"output_norm": "layer"},
        ],
    )
    def test_a_front_end_for_series(self, option):
        made = classifiers(RATES[:1], **option)
        self.refused("number 0 has .*which cannot be stacked", *made)

    def test_a_subclass(self):
        class Own(FPTClassifier):
            pass

        one = Own(gpt2_backbone(), 3, input_dim=4)
        self.refused("number 0 is a Own", one)

    def test_data_that_does_not_fit(self):
        made = classifiers(RATES[:2])
        stack = StackedClassifiers(made)
        x, y = examples(made[0])
        for wrong_x, wrong_y, message in (
            (x["tokens"][..., :3], y, "width 4 but received 3"),
            (x, y + 7, "label"),
            (x["tokens"][:, None], y, "tokens of 2 classifiers"),
            (x, y[:, None], "labels of 2 classifiers"),
            (np.stack(2 * [x["tokens"]], 1), y, "labels of each classifier"),
        ):
            with pytest.raises(ValueError, match=message):
                stack.fit(wrong_x, wrong_y, **FIT)
