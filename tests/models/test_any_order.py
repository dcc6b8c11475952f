"""Public methods in any order: the model stays what its settings say.

After each call, a twin that is built from nothing, with the same settings and
values, must compute the same, and the same weights must train.
"""

import itertools
import pathlib
import tempfile

import hypothesis
import keras
import numpy as np
import pytest
from hypothesis import stateful
from hypothesis import strategies as st

from keras_fpt import freezing
from keras_fpt.models import FPTClassifier
from tests.conftest import gpt2_backbone

POLICIES = (
    "fpt",
    "output_only",
    "low_rank+output",
    "layer_norm+output",
    "fpt+feedforward",
)
X = np.random.default_rng(0).normal(size=(8, 4, 3)).astype("float32")
Y = np.arange(8) % 2


def new_model(**options):
    backbone = gpt2_backbone(
        num_layers=1, hidden_dim=8, intermediate_dim=8, vocabulary_size=5
    )
    return FPTClassifier(backbone, input_dim=3, lora_rank=2, **options)


def named(model):
    """Weights by a name that a copy of the model has too."""
    names = {}
    for group, variables in freezing.parameter_groups(model).items():
        for index, variable in enumerate(variables):
            names[f"{group}/{index}/{variable.name}"] = variable
    return names


class AnyOrder(stateful.RuleBasedStateMachine):
    """What is known about the model: its settings, not its history."""

    def __init__(self):
        super().__init__()
        keras.utils.set_random_seed(0)
        self.folder = tempfile.TemporaryDirectory()
        self.paths = (
            pathlib.Path(self.folder.name) / f"{i}" for i in itertools.count()
        )
        self.model = new_model()
        self.policy, self.quantized, self.low_rank = "fpt", None, False
        self.norm_is_frozen = self.all_is_frozen = False

    def teardown(self):
        self.folder.cleanup()

    # === What users do ===

    @stateful.rule()
    def fit(self):
        before = snapshot_by_name(self.model)
        self.model.fit(X, Y, batch_size=4, epochs=2, verbose=0)
        after = snapshot_by_name(self.model)
        moved = {n for n in after if not np.array_equal(before[n], after[n])}
        assert moved == self.trained()

    @stateful.rule()
    def evaluate(self):
        loss = self.model.evaluate(X, Y, verbose=0)[0]
        right = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        logits = self.twin()(X, training=False)
        expected = keras.ops.convert_to_numpy(right(Y, logits))
        np.testing.assert_allclose(loss, expected, rtol=1e-4)

    @stateful.rule(policy=st.sampled_from(POLICIES))
    def set_policy(self, policy):
        trained = freezing.parse_policy(policy)
        if self.quantized and "feedforward" in trained:
            with pytest.raises(ValueError, match="quantized"):
                self.model.set_policy(policy)
            return
        self.model.set_policy(policy)
        self.policy = policy
        self.low_rank |= "low_rank" in trained
        self.norm_is_frozen = self.all_is_frozen = False

    @stateful.rule(value=st.booleans())
    def set_trainable(self, value):
        self.model.trainable = value
        self.all_is_frozen, self.norm_is_frozen = not value, False

    @stateful.rule()
    def freeze_a_layer(self):
        self.model.backbone.get_layer("layer_norm").trainable = False
        self.norm_is_frozen = True

    @stateful.rule()
    def quantize(self):
        trained = freezing.parse_policy(self.policy)
        if self.quantized or self.low_rank or "feedforward" in trained:
            return
        self.model.quantize("int8")
        self.quantized = "int8"

    @stateful.rule()
    def save_and_load(self):
        path = next(self.paths).with_suffix(".keras")
        self.model.save(path)
        self.model = keras.models.load_model(path)

    @stateful.rule()
    def save_and_load_weights(self):
        path = next(self.paths).with_suffix(".weights.h5")
        self.model.save_weights(path)
        self.model = self.twin(values=False)
        self.model.load_weights(path)

    @stateful.rule()
    def clone(self):
        clone = keras.models.clone_model(self.model)
        clone.set_weights(self.model.get_weights())
        clone.compile()
        self.model = clone

    @stateful.rule()
    def save_and_load_an_adapter(self):
        path = next(self.paths).with_suffix(".safetensors")
        self.model.save_adapter(path)
        self.model.load_adapter(path)

    # === What must hold ===

    def twin(self, values=True):
        twin = new_model(quantize=self.quantized)
        if self.low_rank:
            twin.set_policy("low_rank")
        twin.set_policy(self.policy)
        if self.all_is_frozen:
            twin.trainable = False
        if self.norm_is_frozen:
            twin.backbone.get_layer("layer_norm").trainable = False
        if values:
            own = named(self.model)
            for name, variable in named(twin).items():
                variable.assign(keras.ops.convert_to_numpy(own[name]))
        return twin

    def trained(self):
        if self.all_is_frozen:
            return set()
        norm = self.model.backbone.get_layer("layer_norm").weights
        frozen = {id(v) for v in norm} if self.norm_is_frozen else set()
        groups = freezing.parse_policy(self.policy)
        return {
            name
            for name, variable in named(self.model).items()
            if name.split("/")[0] in groups and id(variable) not in frozen
        }

    @stateful.invariant()
    def computes_what_the_twin_does(self):
        expected = keras.ops.convert_to_numpy(self.twin()(X, training=False))
        logits = self.model.predict(X, verbose=0)
        np.testing.assert_allclose(logits, expected, atol=1e-5)

    @stateful.invariant()
    def trains_what_it_should(self):
        flags = {n for n, v in named(self.model).items() if v.trainable}
        assert flags == self.trained()
        assert len(self.model.trainable_variables) == len(flags)


def snapshot_by_name(model):
    return {
        name: np.array(keras.ops.convert_to_numpy(variable))
        for name, variable in named(model).items()
    }


# Each change compiles again on TensorFlow and JAX.
ROUNDS, STEPS = (5, 12) if keras.backend.backend() == "torch" else (2, 8)
TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = hypothesis.settings(
    max_examples=ROUNDS,
    stateful_step_count=STEPS,
    derandomize=True,
    # What is found is told as it was found: each call takes long.
    phases=(hypothesis.Phase.generate,),
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
