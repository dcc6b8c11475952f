"""Several classifiers that train in one step on one frozen backbone."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fpt.compat import (
    jax_compiler_options,
    jax_lost_state,
    jax_step_arguments,
    tensorflow_kept_gradients,
)
from keras_fpt.layers import Readout
from keras_fpt.models import (
    input_checks,
    paper_recipe,
    rebuilding,
    stacked_checks,
    stacked_state,
)
from keras_fpt.models.fpt_classifier import FPTClassifier
from keras_fpt.models.stacked_network import Stacker


@dataclasses.dataclass(frozen=True, eq=False)
class _Members:
    """Holds the classifiers; not a list, so that Keras does not track them."""

    classifiers: tuple[FPTClassifier, ...]


class StackedClassifiers(keras.Model):
    """Trains several `FPTClassifier`s in one step, each as if it were alone.

    They may differ in their learning rates and in the weights that train, such
    as by their seeds, and may see different batches. Everything else must be
    equal: the frozen weights, the sizes and options, and the settings of Adam.
    The frozen backbone then computes the examples of all of them together,
    while each has its own input and output layers, positions, layer norms and
    optimizer state. The only difference is that dropout draws other numbers.
    One that diverges does not affect the others.

    The stack has a copy of the backbone, so it takes the memory of one more
    classifier, and the activations of all of them. The classifiers get their
    weights, and the state of their optimizers, from `unstack`.

    Args:
        classifiers: sequence of `FPTClassifier`s, built, and compiled with
            `keras_fpt.models.paper_optimizer()` and the paper's loss, as they
            are by default. Their blocks must be those of GPT-2, OPT, BERT or
            others that `fast` supports, and no weights of their attention or
            feedforward layers may train.

    Call arguments:
        x: as of `FPTClassifier`, the examples that all classifiers see; or
            with a second axis for the classifiers, such as
            `(batch, classifiers, tokens, dim)`.

    Returns:
        Logits of shape `(batch, classifiers, ...)`.

    Raises:
        ValueError: the classifiers cannot be stacked.

    Example:

    ```python
    models = []
    for rate in (3e-4, 1e-3):
        model = keras_fpt.FPTClassifier.from_preset(
            "gpt2_tiny_en", num_classes=3, input_dim=6
        )
        model.compile(keras_fpt.models.paper_optimizer(rate))
        models.append(model)
    x = np.random.normal(size=(32, 20, 6)).astype("float32")
    y = np.random.randint(3, size=32)
    stack = keras_fpt.models.StackedClassifiers(models)
    history = stack.fit(x, y, epochs=2, verbose=0)
    first, second = history.history["loss"][-1]  # of the last epoch
    stack.unstack()
    models[0].save_adapter("first.safetensors")
    ```
    """

    def __init__(
        self, classifiers: Sequence[FPTClassifier], name: str | None = None
    ) -> None:
        """Creates the model; see the class for its arguments."""
        stacked_checks.check_alike(classifiers)
        first = classifiers[0]
        super().__init__(name=name, autocast=False, dtype=first.dtype_policy)
        self.members = _Members(tuple(classifiers))
        self.size = len(classifiers)
        self.num_classes, self.num_answers = (
            first.num_classes,
            first.num_answers,
        )
        self.is_of_vectors = first.vocabulary_size is None
        self.front = first.front  # It has no weights.

        # === Layers ===
        stacker = Stacker(first, self.size)
        self.backbone = rebuilding.copy_of(first.backbone)
        self.cut = stacker.network(self.backbone)
        self.input_layer = stacker.new_layer(first.input_layer)
        self.input_dropout_layer = None
        if first.input_dropout_layer is not None:
            config = first.input_dropout_layer.get_config()
            self.input_dropout_layer = keras.layers.Dropout.from_config(config)
        self.position_layer = None
        if first.position_layer is not None:
            self.position_layer = stacker.new_layer(first.position_layer)
        self.readout_layer = Readout.from_config(
            first.readout_layer.get_config()
        )
        self.output_layer = stacker.new_layer(first.output_layer)
        # The functional parts are no layers of the model.
        self.stacked_layers = stacker.layers
        self.backbone.trainable = False

        self.losses_of_runs = _MeanOfRuns(self.size, name="loss")
        self.accuracies = _MeanOfRuns(self.size, name="accuracy")
        self.built = True
        self.compile(
            stacked_checks.stacked_optimizer(classifiers),
            jit_compile=paper_recipe.default_jit_compile(),
        )
        self.optimizer.build(self.trainable_variables)
        stacked_state.stack(self)

    def call(self, x: Any, training: bool | None = None) -> Any:
        tokens, mask = input_checks.unpack(x)
        tokens = self._as_one_batch(tokens, 3 if self.is_of_vectors else 2)
        if mask is not None:
            mask = self._as_one_batch(ops.cast(mask, "int32"), 2)
        if self.is_of_vectors:
            tokens, mask = self.front(tokens, mask)
        embeddings = self.input_layer(tokens)
        if self.input_dropout_layer is not None:
            embeddings = self.input_dropout_layer(embeddings, training=training)
        if self.position_layer is not None:
            embeddings = embeddings + self.position_layer(embeddings)
        real = mask
        if mask is None:
            real = ops.ones(ops.shape(embeddings)[:2], dtype="int32")
        read = self.readout_layer.token_indices(real)
        hidden = self.cut(embeddings, mask, read, training)
        if read is None:
            hidden = self.readout_layer(hidden, real)
        logits = self.output_layer(hidden)
        logits = ops.cast(
            logits, keras.backend.result_type(logits.dtype, "float32")
        )
        answers = () if self.num_answers == 1 else (self.num_answers,)
        shape = (self.size, -1, *answers, self.num_classes)
        return ops.swapaxes(ops.reshape(logits, shape), 0, 1)

    def _as_one_batch(self, x: Any, rank: int) -> Any:
        """The examples of one classifier after those of another."""
        if len(x.shape) == rank:
            return ops.tile(x, (self.size, *[1] * (rank - 1)))
        shape = ops.shape(x)
        return ops.reshape(ops.swapaxes(x, 0, 1), (-1, *shape[2:]))

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        # The gradient of each one's weights is that of its own loss.
        return ops.sum(self._loss_of_each(y, y_pred, sample_weight))

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        number = ops.shape(y_pred)[0]
        losses = self._loss_of_each(y, y_pred, sample_weight)
        self.losses_of_runs.update_state(losses, number)
        y = self._per_classifier(y, y_pred)
        if self.num_classes == 1:
            answers = y_pred[..., 0] > 0
        else:
            answers = ops.argmax(y_pred, axis=-1)
        hits = ops.cast(ops.cast(answers, y.dtype) == y, "float32")
        self.accuracies.update_state(_mean_of_each(hits), number)
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict[str, Any]:
        metrics = self.losses_of_runs, self.accuracies
        return {metric.name: metric.result() for metric in metrics}

    def _loss_of_each(self, y: Any, y_pred: Any, sample_weight: Any) -> Any:
        """The mean loss of each classifier, a vector."""
        y = self._per_classifier(y, y_pred)
        if self.num_classes == 1:
            losses = ops.binary_crossentropy(
                ops.cast(y, y_pred.dtype), y_pred[..., 0], from_logits=True
            )
        else:
            losses = ops.sparse_categorical_crossentropy(
                y, y_pred, from_logits=True
            )
        if sample_weight is not None:
            weights = self._per_classifier(sample_weight, y_pred)
            losses = losses * ops.cast(weights, losses.dtype)
        return _mean_of_each(losses)

    def _per_classifier(self, y: Any, y_pred: Any) -> Any:
        """Labels `(batch, classifiers, ...)`, the logits' shape but the last.

        Those that all share lack the second axis.
        """
        if len(y.shape) < len(y_pred.shape) - 1:
            y = ops.expand_dims(y, 1)
        return ops.broadcast_to(y, ops.shape(y_pred)[:-1])

    def make_train_function(self, force: bool = False) -> Any:
        with (
            jax_compiler_options.jitted_for_memory(),
            jax_step_arguments.passed(self.cut.step_kernels(self)),
        ):
            return super().make_train_function(force)

    def fit(
        self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any
    ) -> keras.callbacks.History:
        """`keras.Model.fit`, whose losses and accuracies are vectors.

        Args:
            x: tokens as of `call`, or a source of batches of them and of
                labels.
            y: the labels of an `FPTClassifier`, which all share; or with a
                second axis for the classifiers.
            *args, **kwargs: as of `keras.Model.fit`.

        Returns:
            A `History`. Its `history` has lists of arrays of shape
            `(classifiers,)`.

        Raises:
            ValueError: arrays do not fit the classifiers.
        """
        stacked_checks.check_data(self, x, y)
        kept = tensorflow_kept_gradients
        with (
            jax_lost_state.restored(self),
            kept.forgotten_with(self, kept.OPERATIONS),
        ):
            found = super().fit(x, y, *args, **kwargs)
        found.history = keras.tree.map_structure(_to_numpy, found.history)
        return found

    def evaluate(
        self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any
    ) -> dict[str, np.ndarray]:
        """`keras.Model.evaluate`, which returns a dict of vectors."""
        kwargs["return_dict"] = True
        with jax_lost_state.restored(self):
            found = super().evaluate(x, y, *args, **kwargs)
        return keras.tree.map_structure(_to_numpy, found)

    def unstack(self, metrics: bool = False) -> None:
        """Writes weights and the state of Adam into the classifiers.

        They are then as if they had been trained alone. The stack can continue
        to train.

        Args:
            metrics: bool, whether the running means of the loss and the
                accuracy are written, too, as within an epoch.
        """
        stacked_state.unstack(self)
        if metrics:
            stacked_state.unstack_metrics(self)

    def restack(self, metrics: bool = False) -> None:
        """Reads what `unstack` writes, from classifiers that were changed.

        Args:
            metrics: bool, as of `unstack`.
        """
        stacked_state.stack(self)
        if metrics:
            stacked_state.stack_metrics(self)

    def build_metrics(self) -> None:
        """Makes the variables of the classifiers' metrics."""
        for classifier in self.members.classifiers:
            stacked_state.build_metrics(classifier)


class _MeanOfRuns(keras.metrics.Metric):
    """The mean of vectors, which have a number for each run."""

    def __init__(self, size: int, name: str) -> None:
        super().__init__(name=name)
        self.total = self.add_variable((size,), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, values: Any, number: Any) -> None:
        number = ops.cast(number, self.dtype)
        values = ops.cast(values, self.dtype)
        self.total.assign_add(values * number)
        self.count.assign_add(number)

    def result(self) -> Any:
        return ops.divide_no_nan(self.total, self.count)


def _mean_of_each(values: Any) -> Any:
    """The means over all axes but the second."""
    return ops.mean(values, axis=(0, *range(2, len(values.shape))))


def _to_numpy(value: Any) -> np.ndarray:
    return np.array(ops.convert_to_numpy(value))
