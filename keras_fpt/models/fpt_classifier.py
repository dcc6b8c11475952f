"""The frozen pretrained transformer as a classifier."""

from typing import Any

import keras
from keras import ops

from keras_fpt.models import (
    label_rules,
    model_settings,
    paper_recipe,
    several_answers,
)
from keras_fpt.models.fpt_model import FPTModel


@keras.saving.register_keras_serializable(package="keras_fpt")
class FPTClassifier(FPTModel):
    """A language model's frozen blocks between a new input and output layer.

    The backbone is cut at its token embedding. A new input layer projects
    tokens of any kind to the backbone's width; a new output layer reads the
    hidden states of the last real tokens. By default only these two, the
    positions and the layer norms train.

    The model owns its backbone. A second model of the same backbone, or one
    with another `dropout` or `depth`, gets a copy of its weights, so training
    one model never changes another. Everything computes in the backbone's
    dtype policy, except for the output layer, whose logits are at least
    float32.

    On JAX, threads that use one model wait for one another, so data for `fit`
    must not come from a thread that calls the same model.

    Args:
        backbone: a KerasHub text backbone, e.g.
            `keras_hub.models.GPT2Backbone`.
        num_classes: int, the number of classes of each label. With 1, the
            model gives one logit, for labels that are 0 or 1.
        input_dim: int, the width of float tokens. `None` takes it from the
            first batch.
        vocabulary_size: int, the number of different tokens where tokens are
            integers. `None` means that tokens are vectors of floats.
        num_output_tokens: int, how many of the last real tokens the output
            layer reads.
        labels_per_token: int, the number of labels for each of them.
        policy: string, the parameter groups that are trained: `"fpt"`,
            `"output_only"`, `"full"`, or groups joined by `+`. See
            `keras_fpt.freezing`.
        readout: string, `"last"`, `"first"`, `"mean"` or `"pooled"`. See
            `keras_fpt.layers.Readout`.
        dropout: float, the dropout rate of the backbone. `None` keeps the
            backbone's own.
        compile: bool, whether to compile the model with the paper's recipe;
            see `compile`.
        **kwargs: the other options of `keras_fpt.models.ModelOptions`
            (`depth`, `learned_positions`, `lora_rank`, `quantize`, `fast`,
            `rematerialize`, `embedding_init`, `input_scale`, `output_init`,
            `input_dropout`, `precision`), and arguments of `keras.Model`, e.g.
            `name`. `dtype` is the backbone's, and may only repeat it.

    Call arguments:
        x: float tensor `(batch, tokens, dim)`, int tensor `(batch, tokens)`,
            or a dict `{"tokens": x, "padding_mask": mask}` with a mask of
            shape `(batch, tokens)`, 1 where a token is real. Padding is on
            the right. A ragged tensor of TensorFlow stands for tokens with
            their mask. Tokens that a layer upstream masks, such as
            `keras.layers.Masking`, are left out.

    Returns:
        Logits of shape `(batch, num_classes)`, or, where an example has more
        than one label,
        `(batch, num_output_tokens * labels_per_token, num_classes)`.

    Raises:
        ValueError: an argument or a batch does not fit the model.

    Example:

    ```python
    model = keras_fpt.FPTClassifier.from_preset("gpt2_tiny_en", num_classes=3)
    x = np.random.normal(size=(32, 20, 6)).astype("float32")
    y = np.random.randint(3, size=32)
    model.fit(x, y, epochs=2)
    probabilities = keras.ops.softmax(model.predict(x))
    ```

    Source: Lu, Grover, Abbeel and Mordatch, 2021, "Pretrained Transformers
    as Universal Computation Engines", arXiv 2103.05247.
    """

    head = model_settings.TaskShape.head
    takes_class_weight = True
    # Of the task's shape.
    num_classes: int
    labels_per_token: int
    # Whether no metric is the user's own.
    metrics_take_examples = True

    def __init__(
        self,
        backbone: Any,
        num_classes: int = 2,
        input_dim: int | None = None,
        vocabulary_size: int | None = None,
        num_output_tokens: int = 1,
        labels_per_token: int = 1,
        policy: str | None = "fpt",
        readout: str = "last",
        dropout: float | None = None,
        *,
        compile: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            backbone,
            model_settings.TaskShape(
                num_classes,
                input_dim,
                vocabulary_size,
                num_output_tokens,
                labels_per_token,
            ),
            compile=compile,
            policy=policy,
            readout=readout,
            dropout=dropout,
            **kwargs,
        )

    @property
    def num_answers(self) -> int:
        """The number of labels of each example."""
        return self.num_output_tokens * self.labels_per_token

    @property
    def label_size(self) -> int:
        """The number of values in a label that is not a class."""
        return self.num_classes

    @property
    def answer_shape(self) -> tuple[int, ...]:
        """The shape of the logits of one example."""
        answers = () if self.num_answers == 1 else (self.num_answers,)
        return (*answers, self.num_classes)

    def label_rule(self) -> label_rules.LabelRule:
        """The kind of labels that the model takes, as compiled."""
        return label_rules.rule_of(self)

    def answers(self, hidden: Any, training: bool | None = None) -> Any:
        """The logits that the output layer computes from hidden states.

        Args:
            hidden: float tensor `(batch, num_output_tokens, dim)`.
            training: bool.

        Returns:
            What the model's call returns.
        """
        logits = self.project(hidden, training)
        if self.num_answers == 1:
            return logits[:, 0]
        return ops.reshape(logits, (-1, self.num_answers, self.num_classes))

    def compile(
        self,
        optimizer: Any = "auto",
        loss: Any = "auto",
        loss_weights: Any = None,
        metrics: Any = "auto",
        weighted_metrics: Any = None,
        **kwargs: Any,
    ) -> None:
        """`keras.Model.compile`, with the paper's recipe for what is `"auto"`.

        Args:
            optimizer: a Keras optimizer or its name. `"auto"` is
                `keras_fpt.models.paper_optimizer()`: Adam with learning rate
                1e-3, epsilon 1e-8 and a global gradient norm of at most 1.0.
            loss: a Keras loss or its name. `"auto"` is cross-entropy of
                integer labels on logits.
            loss_weights: as in Keras.
            metrics: list of Keras metrics or their names. `"auto"` is
                accuracy with the paper's loss, otherwise none.
            weighted_metrics: as in Keras.
            **kwargs: other arguments of `keras.Model.compile`. With the
                paper's loss, `jit_compile` is by default `False` on
                TensorFlow.
        """
        if metrics == "auto":
            accuracy = paper_recipe.paper_metrics(self.num_classes)
            metrics = accuracy if loss == "auto" else None
        if loss == "auto":
            loss = paper_recipe.paper_loss(self.num_classes)
            kwargs.setdefault("jit_compile", paper_recipe.default_jit_compile())
        label_rules.check_loss(loss, self.num_classes)
        metrics = label_rules.metrics_on_logits(metrics, self.num_classes)
        self.metrics_take_examples = several_answers.metrics_take_examples(
            metrics, weighted_metrics
        )
        super().compile(
            optimizer, loss, loss_weights, metrics, weighted_metrics, **kwargs
        )

    compute_loss = several_answers.compute_loss
    compute_metrics = several_answers.compute_metrics
