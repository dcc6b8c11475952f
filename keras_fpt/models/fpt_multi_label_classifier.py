"""The frozen pretrained transformer with several yes or no labels."""

from typing import Any

import keras
import numpy as np
from keras import ops
from sklearn.metrics import roc_auc_score

from keras_fpt.models import (
    label_checks,
    label_rules,
    model_settings,
    paper_recipe,
)
from keras_fpt.models.fpt_model import FPTModel


@keras.saving.register_keras_serializable(package="keras_fpt")
class ExactMatch(keras.metrics.MeanMetricWrapper):
    """The share of examples whose labels are all predicted correctly.

    Args:
        name: string.
        dtype: dtype of the metric.

    Call arguments:
        y_true: tensor `(batch, labels)` of 0 and 1.
        y_pred: tensor `(batch, labels)` of logits.
    """

    def __init__(self, name: str = "exact_match", dtype: Any = None) -> None:
        super().__init__(_all_right, name=name, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype}


def _all_right(y_true: Any, y_pred: Any) -> Any:
    is_right = ops.equal(y_pred > 0, ops.cast(y_true, y_pred.dtype) > 0.5)
    return ops.cast(ops.all(is_right, axis=-1), y_pred.dtype)


@keras.saving.register_keras_serializable(package="keras_fpt")
class FPTMultiLabelClassifier(FPTModel):
    """A language model's frozen blocks that predict several yes or no labels.

    It is built like `keras_fpt.FPTClassifier`, but an example may have any
    number of the labels: each has its own logit, whose sigmoid is its
    probability.

    Args:
        backbone: a KerasHub text backbone.
        num_labels: int, the number of labels that an example may have.
        input_dim, vocabulary_size, policy, readout, dropout: as of
            `keras_fpt.FPTClassifier`.
        compile: bool, whether to compile the model; see `compile`.
        **kwargs: the other options of `keras_fpt.models.ModelOptions`, and
            arguments of `keras.Model`.

    Call arguments:
        x: as of `keras_fpt.FPTClassifier`.

    Returns:
        Logits of shape `(batch, num_labels)`.

    Raises:
        ValueError: an argument or a batch does not fit the model.

    Example:

    ```python
    model = keras_fpt.FPTMultiLabelClassifier.from_preset(
        "gpt2_tiny_en", num_labels=3
    )
    x = np.random.normal(size=(32, 20, 6)).astype("float32")
    y = (x.mean(axis=1)[:, :3] > 0).astype("int32")
    model.fit(x, y, epochs=2)
    probabilities = keras.ops.sigmoid(model.predict(x))
    ```
    """

    head = model_settings.MultiLabelShape.head
    num_answers = 1
    num_output_tokens = 1
    # Of the task's shape.
    num_labels: int

    def __init__(
        self,
        backbone: Any,
        num_labels: int,
        input_dim: int | None = None,
        vocabulary_size: int | None = None,
        policy: str | None = "fpt",
        readout: str = "last",
        dropout: float | None = None,
        *,
        compile: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            backbone,
            model_settings.MultiLabelShape(
                num_labels, input_dim, vocabulary_size
            ),
            compile=compile,
            policy=policy,
            readout=readout,
            dropout=dropout,
            **kwargs,
        )

    @property
    def label_size(self) -> int:
        """The number of labels of an example."""
        return self.num_labels

    @property
    def answer_shape(self) -> tuple[int, ...]:
        """The shape of the logits of one example."""
        return (self.num_labels,)

    def label_rule(self) -> label_rules.LabelRule:
        """The kind of labels that the model takes, as compiled."""
        if label_rules.trains_as(self, keras.Model.compute_loss):
            loss = str(getattr(self.loss, "name", self.loss))
            return label_rules.LabelRule(
                "targets", loss, is_probability=True, size="num_labels"
            )
        return label_rules.LabelRule()

    def answers(self, hidden: Any, training: bool | None = None) -> Any:
        """The logits that the output layer computes from hidden states.

        Args:
            hidden: float tensor `(batch, 1, dim)`.
            training: bool.

        Returns:
            What the model's call returns.
        """
        return self.project(hidden, training)[:, 0]

    def compile(
        self,
        optimizer: Any = "auto",
        loss: Any = "auto",
        loss_weights: Any = None,
        metrics: Any = "auto",
        weighted_metrics: Any = None,
        **kwargs: Any,
    ) -> None:
        """`keras.Model.compile`, with defaults for what is `"auto"`.

        Args:
            optimizer: as of `keras_fpt.FPTClassifier`.
            loss: a Keras loss of logits, or its name. `"auto"` is the binary
                cross-entropy, averaged over the labels.
            loss_weights: as in Keras.
            metrics: list of Keras metrics or their names. `"auto"` is the
                share of labels that are correct (`accuracy`), the share of
                examples of which all are (`exact_match`), and the area under
                the ROC curve, averaged over the labels (`auroc`, which Keras
                computes from 200 thresholds; `scores` is exact).
            weighted_metrics: as in Keras.
            **kwargs: other arguments of `keras.Model.compile`.
        """
        if metrics == "auto":
            metrics = [
                keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0),
                ExactMatch(),
                keras.metrics.AUC(
                    multi_label=True,
                    num_labels=self.num_labels,
                    from_logits=True,
                    name="auroc",
                ),
            ]
        if loss == "auto":
            loss = keras.losses.BinaryCrossentropy(from_logits=True)
            kwargs.setdefault("jit_compile", paper_recipe.default_jit_compile())
        super().compile(
            optimizer, loss, loss_weights, metrics, weighted_metrics, **kwargs
        )

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """`keras.Model.compute_metrics`, where one label may have no axis."""
        if y is not None:
            y = ops.reshape(y, (-1, self.num_labels))
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def scores(
        self, x: Any, y: Any, batch_size: int | None = None
    ) -> dict[str, Any]:
        """How well each label is predicted.

        Args:
            x: tokens, as `predict` takes them.
            y: array `(n, num_labels)` of 0 and 1.
            batch_size: int, as `predict` takes it.

        Returns:
            Dict of `exact_match`, a float; and of float arrays
            `(num_labels,)`: `accuracy`, and `auroc`, which is NaN for a label
            that all examples have, or none.

        Raises:
            ValueError: `x` or `y` does not fit the model.
        """
        sizes = (self.num_labels,)
        y = label_checks.check_targets(y, sizes, "num_labels") > 0.5
        logits = self.predict(x, batch_size=batch_size, verbose=0)
        if len(logits) != len(y):
            raise ValueError(
                f"Expected labels for each of {len(logits)} examples but "
                f"received {len(y)}."
            )
        is_right = (logits > 0) == y
        return {
            "exact_match": float(is_right.all(axis=1).mean()),
            "accuracy": is_right.mean(axis=0),
            "auroc": np.array(
                [
                    roc_auc_score(of_label, own)
                    if 0 < of_label.sum() < len(of_label)
                    else np.nan
                    for of_label, own in zip(y.T, logits.T, strict=True)
                ]
            ),
        }
