"""The base class of all models of this package.

This file is longer than others, since it documents one large public class.
"""

import dataclasses
import os
from typing import Any, Self

import keras
from keras import ops

from keras_fpt import backbones, freezing, options
from keras_fpt.compat import (
    jax_compiler_options,
    jax_lost_state,
    jax_step_arguments,
    keras_internals,
    keras_stale_compile,
    llama_tied_embeddings,
    lora_merged_on_save,
    tensorflow_trainable_shortcut,
    torch_state_names,
)
from keras_fpt.layers import Readout
from keras_fpt.models import (
    adapters,
    data_gate,
    input_checks,
    input_layers,
    low_rank,
    model_settings,
    model_words,
    paper_recipe,
    precision,
    quantization,
    readings,
    rebuilding,
    saved_classifier,
    several_answers,
    upstream_mask,
)
from keras_fpt.models.compiled_functions import (
    CompiledFunctions,
    changed_within,
)
from keras_fpt.models.cut import cut_at_embedding
from keras_fpt.models.options import ModelOptions
from keras_fpt.models.series_front import SeriesFront

_HALF = ("float16", "bfloat16")
# Options of the backbone, whose own config states them.
_OF_BACKBONE = ("depth", "dropout", "dtype")


def _option(name: str) -> property:
    """A property of a model that reads one of its options."""
    return property(lambda model: getattr(model.options, name))


class FPTModel(keras.Model):
    """A language model's frozen blocks between a new input and output layer.

    It contains the cut backbone, the input layer, the positions, the readout
    and the output layer, and the methods that train, check data and save. A
    subclass defines the output: its constructor, `answer_shape`, `answers`, the
    loss and the metrics of `compile`, and the labels that it takes.

    Args:
        backbone: a KerasHub text backbone.
        shape: a `model_settings.TaskShape` or another shape there: what the
            model must know about its task. Each field becomes an attribute.
        compile: bool, whether to compile the model with the paper's recipe.
        **kwargs: the options of `keras_fpt.models.ModelOptions`, and arguments
            of `keras.Model`.

    Raises:
        ValueError: an argument does not fit the backbone.
    """

    optimizer: Any  # Keras sets it in `compile`.
    # Of the task's shape.
    input_dim: int | None
    vocabulary_size: int | None
    num_output_tokens: int
    # The model's name in files, a key of `model_settings.SHAPES`.
    head: str
    # How many labels an example has, and how many numbers a label that is not
    # the number of a class.
    num_answers: Any
    label_size: Any
    takes_class_weight = False

    # Read from `options`, which `set_policy` replaces.
    policy = _option("policy")
    readout = _option("readout")
    learned_positions = _option("learned_positions")
    lora_rank = _option("lora_rank")
    quantize_mode = _option("quantize")
    fast = _option("fast")
    rematerialize = _option("rematerialize")
    sequence_length = _option("sequence_length")

    def __init__(
        self,
        backbone: Any,
        shape: Any,
        *,
        compile: bool = True,
        **kwargs: Any,
    ) -> None:
        """Creates the model; see the class for its arguments."""
        given = {
            name: kwargs.pop(name)
            for name in options.names(ModelOptions)
            if name in kwargs and name != "dtype"
        }
        trainable = kwargs.pop("trainable", True)
        kwargs["dtype"] = backbones.own_dtype(backbone, kwargs.get("dtype"))
        tensorflow_trainable_shortcut.repair()
        # Each layer casts its inputs itself.
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True
        self.compiled_functions = CompiledFunctions()
        self.options = model_settings.settled(ModelOptions(**given))
        model_settings.check_readout(self.options, shape)
        model_settings.check_series_options(self.options, shape)
        self.front = SeriesFront(
            self.options,
            model_settings.keeps_statistics(shape),
            getattr(shape, "horizon", 0),
            getattr(shape, "future_dim", 0),
        )
        trained = freezing.parse_policy(self.policy)

        # === Layers ===
        if self.options.depth is not None:
            backbone = rebuilding.with_depth(backbone, self.options.depth)
        if self.options.dropout is not None:
            backbone = rebuilding.with_dropout(backbone, self.options.dropout)
        llama_tied_embeddings.complete_config(backbone)
        backbone = rebuilding.owned(backbone, self)
        self.backbone = backbone
        self.low_rank_state = lora_merged_on_save.LowRankState(backbone)
        # Not a layer, so that Keras does not track it: its weights belong to
        # the backbone already.
        self.cut = cut_at_embedding(
            backbone, self.readout == "pooled", self.fast, self.rematerialize
        )
        if self.rematerialize and self.cut.fast is None:
            raise ValueError(
                "rematerialize=True needs fast=True and the blocks of GPT-2, "
                "OPT, BERT or similar families, and a readout of tokens; "
                f"received a {type(backbone).__name__}."
            )
        norm = None
        if self.options.input_scale is not None:
            norm = input_layers.embedding_norm(backbone, self.cut.width)
        if self.quantize_mode is not None:
            quantization.quantize_frozen(self, self.quantize_mode)
        quantization.check_policy(backbone, self.policy)
        quantization.resolve_policies(backbone)
        chosen = precision.resolve(self.options.precision, self.cut, backbone)
        self.options = dataclasses.replace(self.options, precision=chosen)
        self.cut = self.cut.at_precision(chosen)
        if "low_rank" in trained:
            low_rank.add_low_rank(self, self.lora_rank)
        width, dtype = self.cut.width, backbone.dtype_policy
        self.input_layer = input_layers.project_tokens(
            shape, width, dtype, self.options.embedding_init, norm
        )
        self.input_dropout_layer = None
        if self.options.input_dropout and shape.vocabulary_size is None:
            self.input_dropout_layer = keras.layers.Dropout(
                self.options.input_dropout, dtype=dtype, name="input_dropout"
            )
        self.position_layer = None
        if self.learned_positions is not None:
            self.position_layer = input_layers.add_positions(
                self.learned_positions, width, dtype
            )
        self.readout_layer = Readout(
            self.readout, shape.num_output_tokens, dtype=dtype
        )
        output_dtype = input_layers.output_dtype(dtype)
        self.output_norm_layer = input_layers.normalize_states(
            self.options.output_norm, output_dtype
        )
        # Of some readouts and channels it follows from the first batch.
        states_width = self.states_width(self.sequence_length, shape.input_dim)
        units = shape.units_of({**vars(self.options), **vars(shape)})
        self.output_layer = input_layers.project_states(
            units, states_width, output_dtype, self.options.output_init
        )
        if self.output_norm_layer is not None and states_width is not None:
            self.output_norm_layer.build((None, None, states_width))
        self.target_layer = self.make_target_layer(shape)

        # === Config ===
        self.task_shape = shape
        for field in dataclasses.fields(shape):
            setattr(self, field.name, getattr(shape, field.name))
        limits = (
            getattr(backbone, "max_sequence_length", None),
            self.learned_positions,
        )
        self.max_sequence_length = min(filter(None, limits), default=None)
        if self.max_sequence_length is not None:
            self.max_sequence_length *= self.front.stride

        freezing.apply_policy(self, self.policy)
        if not trainable:
            self.trainable = False
        if self.vocabulary_size is not None:
            self.build((None, None))
        elif self.input_dim is not None and self.output_layer.built:
            self.build((None, self.sequence_length, self.input_dim))
        torch_state_names.accept_other_names(self)
        if compile:
            self.compile()

    @property
    def masks_padding(self) -> bool:
        """Whether real tokens can be kept from attending to padding."""
        return self.cut.masks_padding

    @property
    def least_length(self) -> int:
        """The number of tokens of the shortest sequence that it takes."""
        return self.num_output_tokens

    @property
    def answer_shape(self) -> tuple[int, ...]:
        """The shape of what the model returns for one example."""
        raise NotImplementedError

    def make_target_layer(self, shape: Any) -> Any:
        """A layer that is never trained, from answers to the user's units.

        Args:
            shape: as the constructor takes it.

        Returns:
            A layer, or `None`.
        """
        return None

    def label_rule(self) -> Any:
        """The kind of labels that the model takes, a `LabelRule`."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return model_words.text(self)

    def _repr_html_(self) -> str:
        return model_words.table(self)

    def build(self, input_shape: Any) -> None:
        """Builds the new layers, from the shape of the tokens.

        Args:
            input_shape: shape of the tokens, or a dict of shapes.
        """
        if isinstance(input_shape, dict):
            input_shape = input_shape["tokens"]
        input_checks.check_shapes(self, input_shape)
        if self.vocabulary_size is None:
            self.input_dim = input_shape[-1]
            input_shape = (*input_shape[:2], self.front.width(self.input_dim))
        self.input_layer.build(tuple(input_shape))
        if not self.output_layer.built:
            self._build_output(input_shape[1])
        self.built = True

    def _build_output(self, length: int | None) -> None:
        if self.readout == "flatten":
            if length is None:
                raise ValueError(
                    "readout='flatten' reads all tokens, whose number must be "
                    "known before training. Give sequences of one length, or "
                    "use readout='last+mean'."
                )
            self.options = dataclasses.replace(
                self.options, sequence_length=length
            )
        width: Any = self.states_width(length, self.input_dim)
        input_layers.build_output(
            self.output_layer, width, self.options.output_init
        )
        if self.output_norm_layer is not None:
            self.output_norm_layer.build((None, None, width))

    def states_width(self, length: int | None, dim: int | None) -> int | None:
        """The width of the states that the output layer reads of an example.

        Args:
            length: int, the number of tokens of every sequence, where the
                readout is `"flatten"`.
            dim: int, the width of the tokens.

        Returns:
            int, or `None` where it follows from what is not known.
        """
        joins_open = self.front.joins_tokens and length is None
        if joins_open or (self.front.joins_channels and dim is None):
            return None
        joined = self.front.num_joined(length, dim)
        return self.readout_layer.width(self.cut.hidden_dim) * joined

    def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        x = data_gate.called_with(self, x)
        with jax_lost_state.waiting(self):
            return super().__call__(x, *args, **kwargs)

    def call(self, x: Any, training: bool | None = None) -> Any:
        answers = self.answers(self.read_states(x, training), training)
        return self.in_own_units(answers, x)

    def in_own_units(self, answers: Any, x: Any) -> Any:
        """The answers in the units of the input, where a model has them.

        Args:
            answers: what `answers` returns.
            x: as the model's call takes it.
        """
        return answers

    def compute_output_spec(self, x: Any, training: bool | None = None) -> Any:
        if type(self).call is not FPTModel.call:
            return super().compute_output_spec(x, training=training)
        # Keras would call the network with sequences of some length that the
        # backbone may not have positions for.
        shape = input_checks.unpack(x)[0].shape
        input_checks.check_shapes(self, shape)
        dtype = self.output_layer.compute_dtype
        return keras.KerasTensor(
            (shape[0], *self.answer_shape),
            "float32" if dtype in _HALF else dtype,
        )

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """No mask: the answers have no axis of tokens."""

    def read_states(self, x: Any, training: bool | None = None) -> Any:
        """The hidden states that the output layer reads.

        Args:
            x: as the model's call takes it.
            training: bool.

        Returns:
            Float tensor `(batch, num_output_tokens, width)`.
        """
        embeddings, mask, real = self.embed(x, training)
        read = self.readout_layer.token_indices(real)
        hidden = self.cut(embeddings, mask, read, training)
        if read is None:
            hidden = self.readout_layer(hidden, real)
        return self.front.join(hidden, self.input_dim)

    def embed(
        self, x: Any, training: bool | None = None
    ) -> tuple[Any, Any, Any]:
        """Embeddings, the `padding_mask` or `None`, and 1 per real token.

        Where the channels are independent, each is a sequence of its own, and
        those of an example follow one another.
        """
        has_upstream = (
            keras_internals.mask_of(input_checks.unpack(x)[0]) is not None
        )
        x, mask = self.received(x)
        given = mask
        if self.vocabulary_size is None:
            x, mask = self.front(x, mask)
        embeddings = self.input_layer(x)
        if self.input_dropout_layer is not None:
            embeddings = self.input_dropout_layer(embeddings, training=training)
        is_checked = mask is None or data_gate.is_checked(mask)
        if has_upstream or not is_checked:
            given = self.front.for_each_series(given, self.input_dim)
            embeddings = upstream_mask.nan_where_wrong(
                embeddings, given, self.num_output_tokens
            )
            # Other numbers would count as further tokens.
            mask = ops.cast(mask != 0, "int32")
        if self.position_layer is not None:
            embeddings = embeddings + self.position_layer(embeddings)
        real = mask
        if mask is None:
            real = ops.ones(ops.shape(x)[:2], dtype="int32")
        return embeddings, mask, real

    def received(self, x: Any) -> tuple[Any, Any]:
        """The tokens that the front receives, and their `padding_mask`.

        Args:
            x: as the model's call takes it.

        Returns:
            Tuple of a tensor of tokens, and an int tensor `(batch, tokens)` or
            `None`.
        """
        x, mask = input_checks.unpack(x)
        upstream = keras_internals.mask_of(x)
        input_checks.check_shapes(self, input_checks.known_sizes(x.shape))
        if mask is not None or upstream is not None:
            input_checks.check_padding(self)
        if mask is not None:
            mask = ops.cast(mask, "int32")
        if upstream is not None:
            kept = upstream if mask is None else upstream & (mask > 0)
            data_gate.check_upstream_mask(self, kept)
            x, mask = upstream_mask.move_to_front(x, kept)
        return x, mask

    def answers(self, hidden: Any, training: bool | None = None) -> Any:
        """The model's output, from the hidden states that it reads.

        Args:
            hidden: float tensor `(batch, num_output_tokens, dim)`.
            training: bool.

        Returns:
            What the model's call returns.
        """
        raise NotImplementedError

    def project(self, hidden: Any, training: bool | None = None) -> Any:
        """The numbers that the output layer computes from hidden states.

        Args:
            hidden: float tensor `(batch, num_output_tokens, dim)`.
            training: bool.

        Returns:
            Tensor `(batch, num_output_tokens, units)`, of at least float32.
        """
        if self.output_norm_layer is not None:
            hidden = self.output_norm_layer(hidden, training=training)
        numbers = self.output_layer(hidden)
        if keras.backend.standardize_dtype(numbers.dtype) in _HALF:
            numbers = ops.cast(numbers, "float32")
        return numbers

    def compile(
        self,
        optimizer: Any = "auto",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        **kwargs: Any,
    ) -> None:
        """`keras.Model.compile`, with the paper's optimizer for `"auto"`."""
        if optimizer == "auto":
            optimizer = paper_recipe.paper_optimizer()
            if self.variable_dtype == "float16":
                optimizer.epsilon = 1e-7  # 1e-8 is 0 there.
        keras_stale_compile.forget(self)
        super().compile(
            optimizer, loss, loss_weights, metrics, weighted_metrics, **kwargs
        )

    def compile_from_config(self, config: dict[str, Any]) -> None:
        # Keras leaves this to models that override `compile`.
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    # === Trainable weights ===

    @property
    def trainable(self) -> bool:
        """Whether any weight is trainable. `True` applies the policy.

        A change applies from the next step of `fit` on.
        """
        return keras.Model.trainable.fget(self)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        with changed_within(self):
            keras.Model.trainable.fset(self, value)
            if value:  # Keras would unfreeze every weight.
                freezing.apply_policy(self, self.policy)

    def set_policy(self, policy: str) -> None:
        """Changes which parameter groups are trained.

        It may be called by a callback, and then applies from the next step of
        `fit` on. Weights keep their values, and `trainable` flags that were set
        directly are reset to those of the policy. The optimizer keeps its
        settings but loses its state, which belongs to the weights that trained
        before. A larger model with this one as a layer must be compiled again.

        Args:
            policy: string. See `keras_fpt.freezing.parse_policy`.

        Raises:
            ValueError: the policy or a group is unknown, or its weights are
                quantized.
        """
        quantization.check_policy(self.backbone, policy)
        with changed_within(self):
            if "low_rank" in freezing.parse_policy(policy):
                low_rank.add_low_rank(self, self.lora_rank)
            self.options = dataclasses.replace(self.options, policy=policy)
            keras.Model.trainable.fset(self, True)
            freezing.apply_policy(self, policy)

    def quantize(
        self, mode: str, config: Any = None, filters: Any = None
    ) -> None:
        """Stores the matrices that the policy freezes as small integers.

        It is the option `quantize`, for a model that exists already: new
        layers, biases, norms and activations keep their precision.

        Args:
            mode: string, `"int8"` or `"int4"`.
            config: must be `None`, and `filters` too: what else Keras can
                quantize would be lost when the model is saved.

        Raises:
            ValueError: another argument is given, the mode is unknown, the
                model has low-rank weights, or nothing is frozen.
        """
        quantization.check_arguments(self, mode, config, filters)
        with changed_within(self):
            quantization.quantize_frozen(self, mode)
            self.options = dataclasses.replace(self.options, quantize=mode)

    parameter_report = freezing.parameter_report

    # === Training ===

    fit = data_gate.fit
    evaluate = data_gate.evaluate
    predict = data_gate.predict
    train_on_batch = data_gate.train_on_batch
    test_on_batch = data_gate.test_on_batch
    predict_on_batch = data_gate.predict_on_batch
    get_metrics_result = several_answers.get_metrics_result

    def make_train_function(self, force: bool = False) -> None:
        self.compiled_functions.drop_stale(self, "train_function")
        # On TensorFlow, Keras lets the first step make the optimizer's slots,
        # for which that step would be traced twice.
        if self.built and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        with (
            jax_compiler_options.jitted_for_memory(),
            jax_step_arguments.passed(self.cut.step_kernels(self)),
        ):
            return super().make_train_function(force)

    def make_test_function(self, force: bool = False) -> Any:
        self.compiled_functions.drop_stale(self, "test_function")
        with jax_step_arguments.passed(self.cut.step_kernels(self)):
            return super().make_test_function(force)

    def make_predict_function(self, force: bool = False) -> Any:
        self.compiled_functions.drop_stale(self, "predict_function")
        with jax_step_arguments.passed(self.cut.step_kernels(self)):
            return super().make_predict_function(force)

    # === Readings ===

    attention_scores = readings.attention_scores
    frozen_features = readings.frozen_features
    feature_head = readings.feature_head

    # === Saving ===

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            **self.head_config(),
            **{
                name: getattr(self.options, name)
                for name in options.names(ModelOptions)
                if name not in _OF_BACKBONE
            },
            "trainable": self.trainable,
            "changed_flags": freezing.changed_flags(self),
            "low_rank": low_rank.enabled(self.backbone),
        }

    def head_config(self) -> dict[str, Any]:
        """The arguments of the constructor that adapters and presets store."""
        return model_settings.settings_of(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        config = dict(config)
        # Backbones are registered with Keras when they are imported.
        import keras_fpt.models.attention_backbone
        import keras_fpt.models.lstm_backbone  # noqa: F401

        config["backbone"] = keras.saving.deserialize_keras_object(
            config["backbone"]
        )
        flags = config.pop("changed_flags", {})
        lora = config.pop("low_rank", {})
        model = cls(**config)
        low_rank.enable(model.backbone, lora)
        freezing.set_flags(model, flags)
        return model

    @classmethod
    def from_preset(
        cls,
        preset: str | os.PathLike[str],
        load_weights: bool = True,
        task: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Builds a model on a pretrained backbone.

        Args:
            preset: string. A packaged name (`keras_fpt.presets.names()`), a
                KerasHub name, `"hf://..."`, `"kaggle://..."`, or a local
                KerasHub or Hugging Face folder.
            load_weights: bool. `False` draws the backbone's weights from
                GPT-2's initial distribution instead: the `random` arm.
            task: a `keras_fpt.tasks.Task`, for the shapes, the number of
                classes and the dropout rate.
            **kwargs: arguments of the constructor, which take precedence over
                the task's; `seed` for random weights (default 0); `dtype` of
                the backbone. The default dropout rate is the task's, or 0.1.

        Returns:
            A model of this class.

        Raises:
            ValueError: the preset is unknown, or cannot be reached or read.
            FileNotFoundError: a preset folder lacks a file.
        """
        return saved_classifier.from_preset(
            cls, preset, load_weights, task, kwargs
        )

    save_to_preset = saved_classifier.save_to_preset
    save_adapter = adapters.save_adapter
    load_adapter = adapters.load_adapter
    export = saved_classifier.export
