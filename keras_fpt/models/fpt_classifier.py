"""The frozen pretrained transformer as a Keras model."""

import contextlib
import dataclasses
import functools
import sys

import keras
import numpy as np
from keras import ops

from keras_fpt import backbones, data_errors, distribution, freezing
from keras_fpt.compat import jax_compiler_options as xla_options
from keras_fpt.layers import Readout
from keras_fpt.models import (
    adapters,
    attention_scores,
    exporting,
    frozen_features,
    input_checks,
    quantization,
    saved_classifier,
)
from keras_fpt.models.cut import cut_at_embedding
from keras_fpt.models.low_rank import add_low_rank
from keras_fpt.models.rebuilding import with_depth, with_dropout


@keras.saving.register_keras_serializable(package="keras_fpt")
class FPTClassifier(keras.Model):
    """A language model's frozen blocks between a new input and output layer.

    The backbone is cut at its token embedding. A new input layer projects
    tokens of any kind to the backbone's width; a new output layer reads the
    hidden states of the last real tokens. By default only these two, the
    positions and the layer norms train.

    The model owns its backbone: build one backbone a model.

    It is compiled with the paper's recipe: Adam with learning rate 1e-3,
    epsilon 1e-8 and the global gradient norm clipped at 1.0, sparse
    cross-entropy on logits, accuracy.

    Args:
        backbone: a KerasHub text backbone, e.g.
            `keras_hub.models.GPT2Backbone`.
        num_classes: int, classes of each answer.
        input_dim: int, the width of float tokens. `None` takes it from the
            first batch.
        vocabulary_size: int, for integer tokens: how many there are. `None`
            means that tokens are vectors of floats.
        num_output_tokens: int, how many of the last real tokens answer.
        labels_per_token: int, how many answers each of them gives.
        policy: string, what trains: `"fpt"`, `"output_only"`, `"full"`, or
            groups joined by `+`. See `keras_fpt.freezing`.
        readout: string, `"last"`, `"first"`, `"mean"` or `"pooled"`. See
            `keras_fpt.layers.Readout`.
        dropout: float, the dropout rate of the backbone. `None` keeps the
            backbone's own.
        depth: int, use the first `depth` blocks of the backbone. `None` uses
            all of them.
        learned_positions: int, for so many tokens learned positions, zero at
            first, are added to the input; for backbones without positions
            of their own, such as those with rotary ones. `None` adds none.
        lora_rank: int, the rank of the adapters that a policy with
            `low_rank` adds to the dense layers of attention and feedforward.
        quantize: string, `"int8"` or `"int4"`, keeps the weights that the
            policy freezes as such integers. `None` keeps them as they are.
        fast: bool, whether to compute the blocks of GPT-2, OPT, BERT and
            those like it with fewer and larger operations than KerasHub. It
            changes no result but by rounding, and which entries dropout
            drops.
        rematerialize: bool, whether blocks are computed a second time for
            the gradient, so that less is kept for it; for those blocks that
            `fast` is for.

    Call arguments:
        x: float tensor `(batch, tokens, dim)`, int tensor `(batch, tokens)`,
            or a dict `{"tokens": x, "padding_mask": mask}` with a mask of
            shape `(batch, tokens)`, 1 where a token is real. Padding is on
            the right.

    Returns:
        Logits of shape `(batch, num_classes)`, or, where there is more than
        one answer an example,
        `(batch, num_output_tokens * labels_per_token, num_classes)`.

    Raises:
        ValueError: an argument, or a batch, that does not fit.

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

    def __init__(
        self,
        backbone,
        num_classes=2,
        input_dim=None,
        vocabulary_size=None,
        num_output_tokens=1,
        labels_per_token=1,
        policy="fpt",
        readout="last",
        dropout=None,
        depth=None,
        learned_positions=None,
        lora_rank=8,
        quantize=None,
        fast=True,
        rematerialize=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        _check_arguments(
            num_classes=(num_classes, 2),
            input_dim=(input_dim, 1),
            vocabulary_size=(vocabulary_size, 1),
            num_output_tokens=(num_output_tokens, 1),
            labels_per_token=(labels_per_token, 1),
            depth=(depth, 1),
            learned_positions=(learned_positions, 1),
            lora_rank=(lora_rank, 1),
        )
        if input_dim is not None and vocabulary_size is not None:
            raise ValueError(
                "Give input_dim for tokens that are vectors or "
                "vocabulary_size for tokens that are integers, not both: "
                f"received {input_dim} and {vocabulary_size}."
            )
        trained = freezing.parse_policy(policy)

        # === Layers ===
        if depth is not None:
            backbone = with_depth(backbone, depth)
        if dropout is not None:
            backbone = with_dropout(backbone, dropout)
        backbones.complete_config(backbone)
        self.backbone = backbone
        # No layer, so that Keras leaves it alone: what it is made of belongs
        # to the backbone already.
        self.cut = cut_at_embedding(
            backbone, readout == "pooled", fast, rematerialize
        )
        if rematerialize and self.cut.fast is None:
            raise ValueError(
                "rematerialize=True needs fast=True and the blocks of GPT-2, "
                "OPT, BERT or those like it, and a readout of tokens; "
                f"received a {type(backbone).__name__}."
            )
        self.policy = policy
        if quantize is not None:
            quantization.quantize_frozen(self, quantize)
        quantization.check_policy(backbone, policy)
        if "low_rank" in trained:
            add_low_rank(self, lora_rank)
        # Orthogonal with gain sqrt(2), as in the reference code; for integer
        # tokens it is the same layer on one-hot vectors.
        orthogonal = keras.initializers.Orthogonal(gain=2**0.5)
        width = self.cut.width
        if vocabulary_size is None:
            self.input_layer = keras.layers.Dense(
                width,
                kernel_initializer=orthogonal,
                dtype=backbone.dtype_policy,
                name="input",
            )
        else:
            self.input_layer = keras.layers.Embedding(
                vocabulary_size,
                width,
                embeddings_initializer=orthogonal,
                dtype=backbone.dtype_policy,
                name="input",
            )
        self.position_layer = None
        if learned_positions is not None:
            self.position_layer = _zero_positions(
                learned_positions, width, backbone.dtype_policy
            )
        self.readout_layer = Readout(
            readout, num_output_tokens, dtype=backbone.dtype_policy
        )
        # Logits are float32 whatever the backbone computes with.
        self.output_layer = keras.layers.Dense(
            labels_per_token * num_classes, dtype="float32", name="output"
        )

        # === Config ===
        self.num_classes = num_classes
        self.input_dim = input_dim
        self.vocabulary_size = vocabulary_size
        self.num_output_tokens = num_output_tokens
        self.labels_per_token = labels_per_token
        self.readout = readout
        self.learned_positions = learned_positions
        self.lora_rank = lora_rank
        self.quantize_mode = quantize
        self.fast = fast
        self.rematerialize = rematerialize
        limits = (
            getattr(backbone, "max_sequence_length", None),
            learned_positions,
        )
        self.max_sequence_length = min(filter(None, limits), default=None)

        self.output_layer.build((None, None, self.cut.hidden_dim))
        if vocabulary_size is not None:
            self.build((None, None))
        elif input_dim is not None:
            self.build((None, None, input_dim))
        else:
            freezing.apply_policy(self, policy)
        self._compile_paper_recipe()

    @property
    def num_answers(self):
        """How many labels an example has."""
        return self.num_output_tokens * self.labels_per_token

    def build(self, input_shape):
        """Builds the input layer, from the shape of the tokens.

        Args:
            input_shape: shape of the tokens, or a dict of shapes.
        """
        if isinstance(input_shape, dict):
            input_shape = input_shape["tokens"]
        input_checks.check_shapes(self, input_shape)
        if self.vocabulary_size is None:
            self.input_dim = input_shape[-1]
        self.input_layer.build(tuple(input_shape))
        self.built = True
        freezing.apply_policy(self, self.policy)

    def call(self, x, training=None):
        return self.answers(self.read_states(x, training))

    def read_states(self, x, training=None):
        """The hidden states that the output layer reads.

        Args:
            x: as the model's call takes it.
            training: bool.

        Returns:
            Float tensor `(batch, num_output_tokens, dim)`.
        """
        embeddings, mask, real = self._embedded(x)
        read = self.readout_layer.token_indices(real)
        hidden = self.cut(embeddings, mask, read, training)
        return self.readout_layer(hidden, real) if read is None else hidden

    def _embedded(self, x):
        """What goes into the cut, and 1 where a token is real, else 0."""
        mask = None
        if isinstance(x, dict):
            x, mask = x["tokens"], x.get("padding_mask")
        input_checks.check_shapes(self, input_checks.known_sizes(x.shape))
        if mask is not None:
            if not self.cut.masks_padding:
                raise ValueError(
                    f"{type(self.backbone).__name__} cannot keep padding from "
                    "its tokens. Give sequences of one length, without a "
                    "padding_mask."
                )
            mask = ops.cast(mask, "int32")
        embeddings = self.input_layer(x)
        if self.position_layer is not None:
            embeddings = embeddings + self.position_layer(embeddings)
        real = mask
        if mask is None:
            real = ops.ones(ops.shape(x)[:2], dtype="int32")
        return embeddings, mask, real

    def attention_scores(self, x, average_heads=True):
        """How much each token attends to each other one, in every block.

        It is computed by KerasHub's own layers, without dropout, for all of
        `x` at once.

        Args:
            x: as `predict` takes it, array or dict of arrays.
            average_heads: bool, whether to give the mean over the heads.

        Returns:
            Float array `(blocks, batch, queries, keys)`, of which each row
            sums to 1, or less where a family lets heads attend to nothing; or
            `(blocks, batch, heads, queries, keys)`. Blocks without attention
            over all tokens (Qwen 3.5 has some) are left out.

        Raises:
            ValueError: the backbone has no attention.

        Source: Lu et al. (2021), on what the frozen layers attend to.
        """
        x = self._checked(x)
        x = keras.tree.map_structure(ops.convert_to_tensor, x)
        if not self.built:
            self(x)
        embeddings, mask, _ = self._embedded(x)
        plain = dataclasses.replace(self.cut, fast=None)
        with attention_scores.recorded() as found:
            plain(embeddings, mask, training=False)
        if not found:
            raise ValueError(
                f"{type(self.backbone).__name__} has no attention to show."
            )
        scores = np.stack(found)
        return scores.mean(axis=2) if average_heads else scores

    def answers(self, hidden):
        """The logits that the output layer makes of hidden states.

        Args:
            hidden: float tensor `(batch, num_output_tokens, dim)`.

        Returns:
            What the model's call returns.
        """
        logits = self.output_layer(hidden)
        if self.num_answers == 1:
            return logits[:, 0]
        return ops.reshape(logits, (-1, self.num_answers, self.num_classes))

    def _compile_paper_recipe(self):
        self.compile(
            optimizer=keras.optimizers.Adam(
                learning_rate=1e-3, epsilon=1e-8, global_clipnorm=1.0
            ),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
            # On TensorFlow, XLA was slower here, and much slower to start.
            jit_compile=False
            if keras.backend.backend() == "tensorflow"
            else "auto",
        )

    # === What trains ===

    @property
    def trainable(self):
        """Whether anything trains. True means what the policy says."""
        return keras.Model.trainable.fget(self)

    @trainable.setter
    def trainable(self, value):
        keras.Model.trainable.fset(self, value)
        # Keras would thaw every weight.
        if value and hasattr(self, "policy"):
            freezing.apply_policy(self, self.policy)

    def set_policy(self, policy):
        """Changes which parameter groups train, from the next `fit` on.

        A larger model that this one is a layer of must be compiled again.
        Weights keep their values. The optimizer starts afresh with the
        settings it has, since its state belongs to the old set of weights.

        Args:
            policy: string. See `keras_fpt.freezing.parse_policy`.

        Raises:
            ValueError: an unknown policy or group, or one whose weights are
                quantised.
        """
        quantization.check_policy(self.backbone, policy)
        if "low_rank" in freezing.parse_policy(policy):
            add_low_rank(self, self.lora_rank)
        self.policy = policy
        freezing.apply_policy(self, policy)
        # Keras keeps the compiled step and the optimizer's slots for the
        # weights that trained before, on each backend in its own way.
        if self.compiled:
            self.optimizer = type(self.optimizer).from_config(
                self.optimizer.get_config()
            )
            self.train_function = None

    def parameter_report(self):
        """A table of what trains. See `freezing.parameter_report`."""
        return freezing.parameter_report(self)

    # === Training, with checks of the data ===

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        **kwargs,
    ):
        """`keras.Model.fit`, which first checks what it is given.

        Raises:
            ValueError: arrays or a `tf.data.Dataset` whose shapes or labels
                do not fit the model, or which hold NaN or infinity.
        """
        if isinstance(validation_data, (tuple, list)):
            self._checked(*validation_data[:2])
        elif validation_data is not None:
            validation_data = self._checked(validation_data)
        if _is_tf_dataset(x):
            shuffle = False  # Keras cannot shuffle it, and warns if asked to.
        x = self._checked(x, y)
        with _DataErrors(self, x), contextlib.ExitStack() as stack:
            spread = distribution.current()
            if spread is not None:
                x = spread.training_data(self, x)
                validation_data = spread.held_out_data(self, validation_data)
                stack.enter_context(spread.training(self))
            return super().fit(
                x,
                y,
                batch_size=batch_size,
                epochs=epochs,
                verbose=verbose,
                callbacks=callbacks,
                validation_split=validation_split,
                validation_data=validation_data,
                shuffle=shuffle,
                **kwargs,
            )

    def make_train_function(self, force=False):
        # TensorFlow traces a step twice in which the optimizer makes its
        # slots, and Keras leaves that to the step there.
        if self.built and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        with xla_options.jitted_for_memory():
            return super().make_train_function(force)

    def evaluate(self, x=None, y=None, batch_size=None, **kwargs):
        """`keras.Model.evaluate`, which first checks what it is given."""
        evaluate = super().evaluate
        spread = distribution.current()
        # Within `fit`, Keras evaluates what `fit` has checked.
        if "_use_cached_eval_dataset" not in kwargs:
            x = self._checked(x, y)
            if spread is not None:
                x = spread.held_out_data(self, x)
        with _DataErrors(self, x):
            if spread is not None:
                evaluate = functools.partial(spread.evaluate, self, evaluate)
            return evaluate(x, y, batch_size=batch_size, **kwargs)

    def predict(self, x, batch_size=None, **kwargs):
        """`keras.Model.predict`, which first checks what it is given."""
        x = self._checked(x)
        predict = super().predict
        spread = distribution.current()
        with _DataErrors(self, x):
            if spread is not None:
                predict = functools.partial(spread.predict, self, predict)
            return predict(x, batch_size=batch_size, **kwargs)

    def _checked(self, x, y=None):
        """`x`, checked; data sets that Python makes are passed on as is."""
        if _is_tf_dataset(x):
            return input_checks.checked_dataset(self, x)
        if isinstance(x, dict) or hasattr(x, "__array__"):
            input_checks.check_arrays(self, x, y)
        return x

    # === Training on features that are computed once ===

    def frozen_features(self, x, batch_size=32, path=None):
        """The hidden states that the output layer reads, for `feature_head`.

        While the output layer alone trains, and without dropout, they are the
        same in every epoch, so that nothing else need be computed again. Give
        it examples as they are: what is augmented differs in each epoch.

        Args:
            x: array of tokens, or a dict of tokens and a `padding_mask`.
            batch_size: int, how many examples are computed at once.
            path: `.npy` file to write them to, for more than there is memory
                for; they are then read from there. `None` keeps them in
                memory.

        Returns:
            float32 array `(n, num_output_tokens, dim)`.

        Raises:
            ValueError: more than the output layer trains, or there is
                dropout, or `x` does not fit the model.
            OSError: the file cannot be written, or the disk is full.

        Example:

        ```python
        model = keras_fpt.FPTClassifier.from_preset(
            "gpt2_tiny_en", num_classes=3, policy="output_only", dropout=0
        )
        head = model.feature_head()
        head.fit(model.frozen_features(x), y, epochs=100)
        model.evaluate(x_test, y_test)  # with the output layer just trained
        ```
        """
        frozen_features.check(self)
        input_checks.check_arrays(self, x)
        if not self.built:
            self.build(keras.tree.map_structure(np.shape, x))
        batches = frozen_features.batched(x, batch_size)
        count = len(keras.tree.flatten(x)[0])
        return frozen_features.compute(self, batches, np.arange(count), path)

    def feature_head(self):
        """A `keras.Model` of the output layer alone, on `frozen_features`.

        It shares the output layer, the optimizer, and how it is compiled:
        what it learns is in this model.

        Raises:
            ValueError: more than the output layer trains, or there is
                dropout.
        """
        return frozen_features.head(self)

    # === Saving ===

    def export(
        self,
        filepath,
        format="tf_saved_model",
        verbose=None,
        input_signature=None,
        **kwargs,
    ):
        """`keras.Model.export`; see docs/export.md for what each format does.

        Args:
            filepath: string or path, what to write.
            format: string, `"tf_saved_model"`, `"onnx"`, `"openvino"`,
                `"litert"` or `"torch"`.
            verbose: bool, whether to say what was written.
            input_signature: list of one `keras.InputSpec`, or of a dict of
                one for `tokens` and one for `padding_mask`, with `None` for
                sizes that stay open. `None` means tokens without a mask, of
                any number and length.
            **kwargs: what `keras.Model.export` takes.

        Raises:
            ValueError: the width of the tokens is not known yet, or the
                backend cannot write the format, or not with open sizes.
        """
        signature = exporting.input_signature(self, format, input_signature)
        exporting.call_once(self, signature)
        super().export(
            str(filepath),
            format=format,
            verbose=verbose,
            input_signature=signature,
            **kwargs,
        )

    def get_config(self):
        return {
            "name": self.name,
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            **self.head_config(),
            "fast": self.fast,
            "rematerialize": self.rematerialize,
        }

    def head_config(self):
        """The constructor's arguments apart from the backbone."""
        return {
            "num_classes": self.num_classes,
            "input_dim": self.input_dim,
            "vocabulary_size": self.vocabulary_size,
            "num_output_tokens": self.num_output_tokens,
            "labels_per_token": self.labels_per_token,
            "policy": self.policy,
            "readout": self.readout,
            "learned_positions": self.learned_positions,
            "lora_rank": self.lora_rank,
            "quantize": self.quantize_mode,
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        # Backbones are registered with Keras when they are imported.
        import keras_fpt.models.lstm_backbone  # noqa: F401

        config["backbone"] = keras.saving.deserialize_keras_object(
            config["backbone"]
        )
        return cls(**config)

    @classmethod
    def from_preset(cls, preset, load_weights=True, task=None, **kwargs):
        """Builds a classifier on a pretrained backbone.

        Args:
            preset: string. A packaged name (`keras_fpt.presets.names()`), a
                KerasHub name, `"hf://..."`, `"kaggle://..."`, or a local
                KerasHub or Hugging Face folder.
            load_weights: bool. `False` draws the backbone's weights from
                GPT-2's initial distribution instead: the `random` arm.
            task: a `keras_fpt.tasks.Task` to take shapes, classes and the
                dropout rate from.
            **kwargs: arguments of `FPTClassifier`, which win over the
                task's; `seed` for the fresh weights (0 by default); `dtype`
                for the backbone. The dropout rate is 0.1 unless given.

        Returns:
            An `FPTClassifier`.

        Raises:
            ValueError: an unknown preset, or one that cannot be reached or
                read, with what to do.
            FileNotFoundError: a preset folder lacks a file.
        """
        return saved_classifier.from_preset(
            cls, preset, load_weights, task, kwargs
        )

    def save_to_preset(self, folder):
        """Writes a KerasHub preset, with this model's input and output.

        The folder is a normal KerasHub preset of the trained backbone, with one
        file more. `FPTClassifier.from_preset(folder)` gives back a model
        with the same outputs.

        Args:
            folder: path. It is made where there is none.

        Raises:
            ValueError: the input layer is not built yet.
        """
        saved_classifier.save_to_preset(self, folder)

    def save_adapter(self, path, metadata=None):
        """Writes what trains, and the new layers, to a safetensors file.

        The input and output layers are there even where they do not train;
        of the backbone there is only what trains.

        Args:
            path: the file to write.
            metadata: dict of more entries for the file's header, e.g. `arm`
                and `seed`.

        Raises:
            ValueError: the input layer is not built yet.
        """
        adapters.save_adapter(self, path, metadata or {})

    def load_adapter(self, path):
        """Loads what `save_adapter` wrote, onto the same backbone.

        Args:
            path: a file that `save_adapter` wrote.

        Returns:
            The dict in the file's header.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is damaged, or made for another backbone or
                another shape of model.
        """
        return adapters.load_adapter(self, path)


def _check_arguments(**arguments):
    for name, (value, least) in arguments.items():
        if value is not None and (int(value) != value or value < least):
            raise ValueError(
                f"Expected {name} to be an integer of at least {least} but "
                f"received {value}."
            )


def _zero_positions(num_positions, width, dtype):
    import keras_hub

    layer = keras_hub.layers.PositionEmbedding(
        num_positions, initializer="zeros", dtype=dtype, name="positions"
    )
    layer.build((None, None, width))
    return layer


def _is_tf_dataset(x):
    tf = sys.modules.get("tensorflow")
    return tf is not None and isinstance(x, tf.data.Dataset)


class _DataErrors:
    """Turns what a checked pipeline raises into one clear `ValueError`.

    On JAX, Keras moves the weights out of the model while it iterates, and
    loses them when a batch cannot be had: here they are put back.
    """

    def __init__(self, model, x):
        self.model = model
        self.x = x

    def __enter__(self):
        if _is_tf_dataset(self.x) and keras.backend.backend() == "jax":
            # Before the first batch Keras keeps nothing to put back.
            try:
                next(iter(self.x), None)
            except Exception as error:
                self.__exit__(type(error), error, None)
                raise

    def __exit__(self, kind, error, traceback):
        if error and hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        clear = data_errors.clear_error(error) if error else None
        if clear is not None:
            raise clear from error
        return False
