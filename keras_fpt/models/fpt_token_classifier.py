"""The frozen pretrained transformer as a classifier of tokens."""

from typing import Any

import keras
from keras import ops

from keras_fpt import distribution
from keras_fpt.compat import keras_internals
from keras_fpt.models import (
    input_checks,
    label_rules,
    model_settings,
    paper_recipe,
)
from keras_fpt.models.fpt_model import FPTModel

# The label of tokens that are left out.
IGNORED = -1


@keras.saving.register_keras_serializable(package="keras_fpt")
class FPTTokenClassifier(FPTModel):
    """A language model's frozen blocks that classify each token.

    It is built like `keras_fpt.FPTClassifier`, but every token has a label, as
    in the segmentation of a time series. Padding, and tokens whose label is
    -1, count neither for the loss nor for accuracy.

    In a causal backbone, such as GPT-2, the prediction for a token depends only
    on it and on the tokens before it, unless the readout is `"token+mean"`.

    Args:
        backbone: a KerasHub text backbone.
        num_classes: int, the number of classes of a token.
        input_dim, vocabulary_size, policy, dropout: as of
            `keras_fpt.FPTClassifier`.
        readout: string. `"last"`: each token is read by itself.
            `"token+mean"`: together with the mean over all real tokens.
        compile: bool, whether to compile the model; see `compile`.
        **kwargs: the other options of `keras_fpt.models.ModelOptions`, and
            arguments of `keras.Model`.

    Call arguments:
        x: as of `keras_fpt.FPTClassifier`, without the masks of layers
            upstream.

    Returns:
        Logits of shape `(batch, tokens, num_classes)`; those of padding are
        meaningless.

    Raises:
        ValueError: an argument or a batch does not fit the model.

    Example:

    ```python
    model = keras_fpt.FPTTokenClassifier.from_preset(
        "gpt2_tiny_en", num_classes=2
    )
    x = np.random.normal(size=(32, 20, 6)).astype("float32")
    y = (x[:, :, 0] > 0).astype("int32")
    model.fit(x, y, epochs=2)
    classes = model.predict(x).argmax(axis=-1)  # Of shape (32, 20).
    ```
    """

    head = model_settings.TokenShape.head
    num_answers = 1
    num_output_tokens = 1
    # Of the task's shape.
    num_classes: int

    def __init__(
        self,
        backbone: Any,
        num_classes: int = 2,
        input_dim: int | None = None,
        vocabulary_size: int | None = None,
        policy: str | None = "fpt",
        dropout: float | None = None,
        *,
        readout: str = "last",
        compile: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            backbone,
            model_settings.TokenShape(num_classes, input_dim, vocabulary_size),
            compile=compile,
            policy=policy,
            dropout=dropout,
            readout=readout,
            **kwargs,
        )

    @property
    def label_size(self) -> int:
        """The number of classes of a token."""
        return self.num_classes

    def label_rule(self) -> label_rules.LabelRule:
        """The kind of labels that the model takes, as compiled."""
        if label_rules.trains_as(self, FPTTokenClassifier.compute_loss):
            return label_rules.LabelRule("per_token", ignore_class=IGNORED)
        return label_rules.LabelRule()

    def compute_output_spec(self, x: Any, training: bool | None = None) -> Any:
        tokens = input_checks.unpack(x)[0]
        input_checks.check_shapes(self, tokens.shape)
        dtype = keras.backend.result_type(
            self.output_layer.compute_dtype, "float32"
        )
        return keras.KerasTensor((*tokens.shape[:2], self.num_classes), dtype)

    def read_states(self, x: Any, training: bool | None = None) -> Any:
        """The hidden states of all tokens.

        Args:
            x: as the model's call takes it.
            training: bool.

        Returns:
            Float tensor `(batch, tokens, width)`.
        """
        if keras_internals.mask_of(input_checks.unpack(x)[0]) is not None:
            raise ValueError(
                "A model that classifies each token takes no mask of a layer "
                "upstream, such as keras.layers.Masking. Give a padding_mask."
            )
        embeddings, mask, real = self.embed(x, training)
        hidden = self.cut(embeddings, mask, None, training)
        if self.readout == "token+mean":
            hidden = self.readout_layer(hidden, real)
        return hidden

    def answers(self, hidden: Any, training: bool | None = None) -> Any:
        """The logits that the output layer computes from hidden states.

        Args:
            hidden: float tensor `(batch, tokens, width)`.
            training: bool.

        Returns:
            What the model's call returns.
        """
        return self.project(hidden, training)

    def compile(
        self,
        optimizer: Any = "auto",
        loss: Any = "auto",
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = "auto",
        **kwargs: Any,
    ) -> None:
        """`keras.Model.compile`, with defaults for what is `"auto"`.

        Args:
            optimizer: as of `keras_fpt.FPTClassifier`.
            loss: a Keras loss of integer labels and logits, which leaves out
                the class -1. `"auto"` is the cross-entropy, averaged over all
                tokens that have a label.
            loss_weights: as in Keras.
            metrics: as in Keras; they count every token, padding as well.
            weighted_metrics: list of Keras metrics or their names, which count
                the tokens that have a label. `"auto"` is the accuracy.
            **kwargs: other arguments of `keras.Model.compile`.
        """
        if weighted_metrics == "auto":
            weighted_metrics = [
                keras.metrics.SparseCategoricalAccuracy(name="accuracy")
            ]
        if loss == "auto":
            loss = keras.losses.SparseCategoricalCrossentropy(
                from_logits=True, ignore_class=IGNORED
            )
            kwargs.setdefault("jit_compile", paper_recipe.default_jit_compile())
        super().compile(
            optimizer, loss, loss_weights, metrics, weighted_metrics, **kwargs
        )

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """`keras.Model.compute_loss`, of tokens that are real."""
        if y is not None:
            y = _without_padding(x, y)
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if y is None or distribution.current() is None:
            return loss
        # Other parts of the batch may have more tokens with a label, or fewer.
        count = ops.sum(ops.cast(y != IGNORED, loss.dtype))
        rows = ops.shape(y)[0]
        return loss * distribution.relative_count(count, rows, training)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """`keras.Model.compute_metrics`, of tokens that have a label."""
        y = _without_padding(x, y)
        has_label = ops.cast(y != IGNORED, keras.config.floatx())
        if sample_weight is not None:
            weights = ops.cast(sample_weight, has_label.dtype)
            has_label = has_label * ops.reshape(weights, (-1, 1))
        # Not below 0, since some metrics take no other classes.
        return super().compute_metrics(x, ops.maximum(y, 0), y_pred, has_label)


def _without_padding(x: Any, y: Any) -> Any:
    """Labels that are -1 where a token is padding."""
    y = ops.cast(y, "int32")
    mask = input_checks.unpack(x)[1]
    if mask is None:
        return y
    return ops.where(ops.cast(mask, "bool"), y, IGNORED)
