"""Labels, weights and metrics are what the compiled loss makes of them."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fpt import FPTClassifier
from tests.conftest import gpt2_backbone, jit_compile

losses = keras.losses
SPARSE = losses.SparseCategoricalCrossentropy(from_logits=True)


def make(loss=SPARSE, metrics=None, weighted_metrics=None, **kwargs):
    model = FPTClassifier(
        gpt2_backbone(num_layers=1),
        **{"num_classes": 3, "input_dim": 3, "compile": False, **kwargs},
    )
    model.compile(
        keras.optimizers.SGD(0.0),
        loss,
        metrics=metrics,
        weighted_metrics=weighted_metrics,
        jit_compile=jit_compile(),
    )
    return model


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).normal(size=(6, 4, 3)).astype("float32")


CLASSES = np.array([0, 1, 2, 2, 1, 0])
ONE_HOT = keras.utils.to_categorical(CLASSES, 3)
PAIRS = np.stack([CLASSES, 2 - CLASSES // 2], 1)


def log_softmax(logits):
    logits = logits.astype("float64")
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def softened(y):
    return 0.9 * y + 0.1 / 3


@pytest.mark.parametrize(
    ("loss", "y", "target"),
    [
        (
            losses.CategoricalCrossentropy(True, label_smoothing=0.1),
            ONE_HOT,
            softened(ONE_HOT),
        ),
        (
            losses.CategoricalCrossentropy(from_logits=True),
            0.7 * ONE_HOT + 0.3 * ONE_HOT[::-1],
            0.7 * ONE_HOT + 0.3 * ONE_HOT[::-1],
        ),
        (
            losses.SparseCategoricalCrossentropy(True, ignore_class=255),
            np.where(np.arange(6) < 2, CLASSES, 255),
            ONE_HOT * (np.arange(6) < 2)[:, None],
        ),
    ],
    ids=["smoothed", "mixup", "ignore_class"],
)
def test_losses_over_classes(x, loss, y, target):
    model = make(loss)
    expected = -(target * log_softmax(model.predict(x, verbose=0))).sum(1)
    result = model.evaluate(x, y, verbose=0)
    count = (target.sum(1) > 0).sum()
    assert result == pytest.approx(expected.sum() / count, rel=1e-4)


@pytest.mark.parametrize("answers", [1, 2])
def test_one_logit(x, answers):
    model = FPTClassifier(
        gpt2_backbone(num_layers=1), 1, 3, num_output_tokens=answers
    )
    y = (PAIRS[:, :answers] > 0).astype("int32")
    y = y[:, 0] if answers == 1 else y
    logits = model.predict(x, verbose=0)[..., 0].astype("float64")
    expected = (np.log1p(np.exp(logits)) - logits * y).mean()
    loss, accuracy = model.evaluate(x, y, verbose=0)
    assert loss == pytest.approx(expected, rel=1e-4)
    assert accuracy == pytest.approx(((logits > 0) == y).mean())
    with pytest.raises(ValueError, match="from 0 to 1"):
        model.fit(x, y + 1, verbose=0)


@pytest.mark.backend_free
def test_other_labels_that_losses_take(x):
    binary = losses.BinaryCrossentropy(from_logits=True)
    categorical = losses.CategoricalCrossentropy(True)

    def distance(y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1)

    # The strings name losses of probabilities, which Keras clips.
    for loss, y, function in (
        (binary, (ONE_HOT > 0).astype(int), binary),
        ("crossentropy", ONE_HOT, losses.CategoricalCrossentropy()),
        ("ce", CLASSES, losses.SparseCategoricalCrossentropy()),
        ([categorical], ONE_HOT, categorical),
        (distance, ONE_HOT * 7, lambda y, p: keras.ops.mean(distance(y, p))),
    ):
        model = make(loss)
        logits = model.predict(x, verbose=0)
        expected = keras.ops.convert_to_numpy(
            function(y.astype("float32"), logits)
        )
        found = model.fit(x, y, verbose=0).history["loss"]
        np.testing.assert_allclose(found, [expected], rtol=1e-4)


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        (SPARSE, ONE_HOT, "CategoricalCrossentropy"),
        (losses.CategoricalCrossentropy(True), CLASSES, "to_categorical"),
        (losses.CategoricalCrossentropy(True), ONE_HOT * 2, "0 to 1, as the"),
        (losses.MeanSquaredError(), ONE_HOT * np.nan, "received nan"),
        (losses.MeanSquaredError(), CLASSES, r"shape \(batch, 3\)"),
        (lambda y, p: p[..., 0] * y, CLASSES[:5], "received 5"),
        (
            losses.SparseCategoricalCrossentropy(True, ignore_class=-1),
            CLASSES - 2,
            "received -2",
        ),
    ],
)
def test_labels_that_a_loss_cannot_take(x, loss, y, message):
    with pytest.raises(ValueError, match=message):
        make(loss).fit(x, y, verbose=0)


@pytest.mark.backend_free
def test_losses_of_probabilities_are_noticed():
    remedy = "SparseCategoricalCrossentropy.from_logits=True"
    for loss in (
        "sparse_categorical_crossentropy",
        losses.SparseCategoricalCrossentropy(),
        losses.sparse_categorical_crossentropy,
    ):
        with pytest.warns(UserWarning, match=remedy):
            make(loss)
    with pytest.warns(UserWarning, match="metrics.AUC.from_logits=True"):
        make(metrics=[keras.metrics.AUC()])
    with pytest.raises(ValueError, match="always 0 .* num_classes=1"):
        make(num_classes=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(losses.CategoricalHinge(), ["accuracy"])
        FPTClassifier(gpt2_backbone(num_layers=1)).compile(optimizer="auto")


@pytest.mark.backend_free
def test_a_loss_that_is_named_drops_the_recipes_metric(x):
    model = FPTClassifier(gpt2_backbone(num_layers=1), 3, 3)
    model.compile("sgd", losses.CategoricalCrossentropy(from_logits=True))
    assert model.fit(x, ONE_HOT, verbose=0).history.keys() == {"loss"}
    model.compile(optimizer="auto")
    history = model.fit(x, CLASSES, verbose=0).history
    assert history.keys() == {"accuracy", "loss"}
    model.compile("sgd", None)
    assert model.loss is None


def pair_losses(model, x):
    logits = model.predict(x, verbose=0)
    picked = np.take_along_axis(
        log_softmax(logits), PAIRS[: len(x), :, None], 2
    )
    return -picked[..., 0]


@pytest.mark.parametrize("examples", [2, 6])
def test_weights_of_examples_weigh_all_of_their_answers(x, examples):
    model = make(num_output_tokens=2, weighted_metrics=["accuracy"])
    x, y = x[:examples], PAIRS[:examples]
    weights = np.arange(examples, dtype="float32")
    each = pair_losses(model, x)
    right = model.predict(x, verbose=0).argmax(-1) == y
    for given in (weights, weights[:, None], np.stack([weights, weights], 1)):
        result = model.test_on_batch(x, y, given)
        expected = (each * weights[:, None]).mean()
        assert result[0] == pytest.approx(expected, rel=1e-4)
        accuracy = (right * weights[:, None]).sum() / weights.sum() / 2
        assert result[1] == pytest.approx(accuracy, abs=1e-5)


def test_class_weights_are_those_of_the_answers(x):
    model = make(num_output_tokens=2)
    class_weight = {0: 1.0, 1: 5.0}
    weights = np.where(PAIRS == 1, 5.0, 1.0)
    expected = pytest.approx((pair_losses(model, x) * weights).mean(), rel=1e-4)
    dataset = tf.data.Dataset.from_tensors((x, PAIRS))
    for data in ((x, PAIRS), (dataset,)):
        history = model.fit(*data, class_weight=class_weight, verbose=0).history
        assert history["loss"] == [expected]
    plain = model.evaluate(x[4:], PAIRS[4:], verbose=0)
    history = model.fit(
        *(x, PAIRS),
        class_weight=class_weight,
        validation_split=0.3,
        verbose=0,
    ).history
    assert history["val_loss"] == [pytest.approx(plain, rel=1e-4)]
    loss = model.train_on_batch(x, PAIRS, class_weight=class_weight)
    assert loss == expected


@pytest.mark.backend_free
@pytest.mark.parametrize("shape", [(6, 2), (5,), (6, 1, 1)])
def test_weights_of_another_shape_are_refused(x, shape):
    with pytest.raises(ValueError, match="sample_weight"):
        make().fit(x, CLASSES, sample_weight=np.ones(shape), verbose=0)


def test_metrics_of_several_answers(x):
    metrics = [
        keras.metrics.AUC(from_logits=True, multi_label=True, name="auc"),
        keras.metrics.F1Score(name="f1"),
        keras.metrics.TopKCategoricalAccuracy(2, name="top"),
    ]
    loss = losses.CategoricalCrossentropy(from_logits=True)
    model = make(loss, metrics, num_output_tokens=2)
    y = keras.utils.to_categorical(PAIRS, 3)
    result = model.evaluate(x, y, verbose=0, return_dict=True)
    logits = model.predict(x, verbose=0).reshape(-1, 3)
    top = np.argsort(-logits, 1)[:, :2] == PAIRS.reshape(-1, 1)
    assert result["top"] == pytest.approx(top.any(1).mean())
    f1 = keras.metrics.F1Score()
    f1.update_state(y.reshape(-1, 3), logits)
    np.testing.assert_allclose(result["f1"], np.asarray(f1.result()), 1e-5)
    assert 0 <= result["auc"] <= 1


@pytest.mark.backend_free
def test_a_custom_metric_gets_all_answers_of_an_example(x):
    seen = []

    def all_right(y_true, y_pred):
        seen.append((len(y_true.shape), len(y_pred.shape)))
        right = keras.ops.argmax(y_pred, -1) == keras.ops.cast(y_true, "int32")
        return keras.ops.cast(keras.ops.all(right, -1), "float32")

    model = make(metrics=[all_right], num_output_tokens=2)
    result = model.evaluate(x, PAIRS, verbose=0)[1]
    right = model.predict(x, verbose=0).argmax(-1) == PAIRS
    assert result == pytest.approx(right.all(1).mean())
    assert set(seen) == {(2, 3)}


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="Keras builds metrics before the first step elsewhere",
)
def test_a_custom_train_step(x):
    class Own(FPTClassifier):
        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                loss = self.compute_loss(y=y, y_pred=self(x, training=True))
            variables = self.trainable_variables
            gradients = tape.gradient(loss, variables)
            self.optimizer.apply(gradients, variables)
            return {"own": loss}

    model = Own(gpt2_backbone(num_layers=1), 3, 3)
    assert model.fit(x, CLASSES, verbose=0).history.keys() == {"own"}


@pytest.mark.backend_free
def test_the_scikit_learn_wrapper_takes_integer_tokens():
    pytest.importorskip("sklearn")
    from keras.wrappers import SKLearnClassifier

    def build(X, y):
        loss = losses.CategoricalCrossentropy(from_logits=True)
        return make(loss, num_classes=2, input_dim=None, vocabulary_size=9)

    tokens = np.random.default_rng(0).integers(0, 9, (20, 6))
    labels = (tokens.sum(1) > 24).astype(int)
    wrapper = SKLearnClassifier(build, fit_kwargs={"verbose": 0})
    assert wrapper.fit(tokens, labels).predict(tokens).shape == (20,)
