"""The systems that `training_steps.py` compares.

Each is a function of a shape, and returns `train(steps)`, which trains for so
many steps and returns the seconds of each, its loss at hand.

All of them train the same network on the same shapes: GPT-2 with frozen
attention and feedforward, dropout 0.1, read at the last token, Adam, gradients
clipped to a global norm of 1.
"""

import dataclasses
import time

import numpy as np

WIDTH, NUM_CLASSES, DROPOUT, LEARNING_RATE = 16, 10, 0.1, 1e-3
NUM_BATCHES = 4


@dataclasses.dataclass(frozen=True)
class Shape:
    """A GPT-2, and the batches that it trains on."""

    num_layers: int
    hidden_dim: int
    num_heads: int
    batch_size: int
    tokens: int
    positions: int = 1024

    @property
    def flops(self):
        """Of a step's matrix products, forward and backward.

        Frozen matrices take one product backward where trained ones take two;
        the products within attention take two. They count as if attention
        were not causal.
        """
        width, tokens = self.hidden_dim, self.batch_size * self.tokens
        frozen = 2 * (2 * tokens * 12 * width**2)
        attention = 3 * (2 * 2 * tokens * self.tokens * width)
        return self.num_layers * (frozen + attention)


def batches(shape):
    """Arrays of tokens and labels, `NUM_BATCHES` times the batch size."""
    generator = np.random.default_rng(0)
    count = NUM_BATCHES * shape.batch_size
    x = generator.normal(size=(count, shape.tokens, WIDTH)).astype("float32")
    return x, generator.integers(0, NUM_CLASSES, count)


def reference(shape):
    """The recipe of the paper's own code: PyTorch and Hugging Face."""
    import torch
    import transformers

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            config = transformers.GPT2Config(
                n_layer=shape.num_layers,
                n_embd=shape.hidden_dim,
                n_head=shape.num_heads,
                n_positions=shape.positions,
            )
            self.input = torch.nn.Linear(WIDTH, shape.hidden_dim)
            self.gpt2 = transformers.GPT2Model(config)
            self.output = torch.nn.Linear(shape.hidden_dim, NUM_CLASSES)
            for name, parameter in self.gpt2.named_parameters():
                parameter.requires_grad = "ln_" in name or "wpe" in name

        def forward(self, x):
            hidden = self.gpt2(inputs_embeds=self.input(x)).last_hidden_state
            return self.output(hidden[:, -1])

    network = Network().train()
    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=LEARNING_RATE)
    x, y = map(torch.from_numpy, batches(shape))
    size = shape.batch_size

    def train(steps):
        seconds = []
        for step in range(steps):
            began = time.perf_counter()
            start = step % NUM_BATCHES * size
            rows = slice(start, start + size)
            logits = network(x[rows])
            loss = torch.nn.functional.cross_entropy(logits, y[rows])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            loss.item()
            seconds.append(time.perf_counter() - began)
        return seconds

    return train


def keras_hub_backbone(shape):
    import keras_hub

    return keras_hub.models.GPT2Backbone(
        # The embedding is cut off: small, so that it takes no memory.
        vocabulary_size=100,
        num_layers=shape.num_layers,
        num_heads=shape.num_heads,
        hidden_dim=shape.hidden_dim,
        intermediate_dim=4 * shape.hidden_dim,
        max_sequence_length=shape.positions,
        dropout=DROPOUT,
    )


def plain_keras(shape, jit_compile="auto"):
    """What a careful person writes with Keras and KerasHub alone."""
    import keras
    from keras import ops

    backbone = keras_hub_backbone(shape)
    for layer in backbone._flatten_layers(include_self=False):
        trains = isinstance(layer, keras.layers.LayerNormalization)
        if not list(layer._layers):
            layer.trainable = trains or layer is backbone.position_embedding
    core = keras.Model(
        [backbone.token_embedding.output, backbone.input["padding_mask"]],
        backbone.output,
    )
    x = keras.Input((None, WIDTH))
    mask = ops.ones_like(x[..., 0], dtype="int32")
    hidden = core([keras.layers.Dense(shape.hidden_dim)(x), mask])
    model = keras.Model(x, keras.layers.Dense(NUM_CLASSES)(hidden[:, -1]))
    model.compile(
        keras.optimizers.Adam(LEARNING_RATE, epsilon=1e-8, global_clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=jit_compile,
    )
    return fit(model, shape)


def plain_keras_without_xla(shape):
    """The same, without XLA, which Keras turns on for TensorFlow."""
    return plain_keras(shape, jit_compile=False)


def keras_fpt(shape):
    """This package, as it comes."""
    from keras_fpt import FPTClassifier

    backbone = keras_hub_backbone(shape)
    return fit(FPTClassifier(backbone, NUM_CLASSES, input_dim=WIDTH), shape)


def fit(model, shape):
    import keras
    import tensorflow as tf

    class Clock(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.seconds = []

        def on_train_batch_begin(self, batch, logs=None):
            self.began = time.perf_counter()

        def on_train_batch_end(self, batch, logs=None):
            float(logs["loss"])  # Waits for it.
            self.seconds.append(time.perf_counter() - self.began)

    data = tf.data.Dataset.from_tensor_slices(batches(shape)).repeat()
    data = data.batch(shape.batch_size, drop_remainder=True)

    def train(steps):
        clock = Clock()
        model.fit(
            data,
            steps_per_epoch=steps,
            shuffle=False,
            verbose=0,
            callbacks=[clock],
        )
        return clock.seconds

    return train
