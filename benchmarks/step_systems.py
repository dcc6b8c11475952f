"""The systems that `training_steps.py` compares.

Each system is a function of a shape that returns a function
`train(steps, reading=1)`. That function trains for the given number of steps,
waits for the loss after every `reading` of them, and returns the seconds per
step of each such stretch. If several steps are executed at once, each counts as
its share of the execution.

All systems train the same network on the same shapes: GPT-2 with frozen
attention and feedforward layers, read at the last token, with Adam and
gradients clipped to a global norm of 1. They use an accelerator if their
backend finds one.
"""

import dataclasses
import math
import time

import numpy as np

WIDTH, NUM_CLASSES, LEARNING_RATE = 16, 10, 1e-3
NUM_BATCHES = 4


@dataclasses.dataclass(frozen=True)
class Shape:
    """The sizes of a GPT-2, and of the batches that it trains on."""

    num_layers: int
    hidden_dim: int
    num_heads: int
    batch_size: int
    tokens: int
    positions: int = 1024
    dropout: float = 0.1
    dtype: str = "float32"
    precision: str = "float32"  # The option of keras_fpt.
    steps_per_execution: int = 1

    @property
    def flops(self):
        """Operations in a step's matrix products, forward and backward.

        Frozen matrices take one product in the backward pass, and trained ones
        two; the products within attention take two. Attention is counted as if
        it were not causal.
        """
        width, tokens = self.hidden_dim, self.batch_size * self.tokens
        frozen = 2 * (2 * tokens * 12 * width**2)
        attention = 3 * (2 * 2 * tokens * self.tokens * width)
        return self.num_layers * (frozen + attention)


def examples(shape, num_batches=NUM_BATCHES):
    """Arrays of tokens and labels for a number of batches."""
    generator = np.random.default_rng(0)
    count = num_batches * shape.batch_size
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
                resid_pdrop=shape.dropout,
                embd_pdrop=shape.dropout,
                attn_pdrop=shape.dropout,
            )
            self.input = torch.nn.Linear(WIDTH, shape.hidden_dim)
            self.gpt2 = transformers.GPT2Model(config)
            self.output = torch.nn.Linear(shape.hidden_dim, NUM_CLASSES)
            for name, parameter in self.gpt2.named_parameters():
                parameter.requires_grad = "ln_" in name or "wpe" in name

        def forward(self, x):
            hidden = self.gpt2(inputs_embeds=self.input(x)).last_hidden_state
            return self.output(hidden[:, -1])

    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = Network().train().to(device)
    is_mixed = shape.dtype == "mixed_bfloat16"
    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=LEARNING_RATE)
    x, y = (torch.from_numpy(array).to(device) for array in examples(shape))
    size = shape.batch_size

    def train(steps, reading=1):
        seconds = []
        for step in range(-(-steps // reading) * reading):
            if step % reading == 0:
                began = time.perf_counter()
            start = step % NUM_BATCHES * size
            rows = slice(start, start + size)
            with torch.autocast(device, torch.bfloat16, enabled=is_mixed):
                logits = network(x[rows])
            loss = torch.nn.functional.cross_entropy(logits.float(), y[rows])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            if step % reading == reading - 1:
                loss.item()
                seconds.append((time.perf_counter() - began) / reading)
        return seconds

    return train


def keras_hub_backbone(shape):
    import keras_hub

    return keras_hub.models.GPT2Backbone(
        # The embedding is cut off, so keep it small to save memory.
        vocabulary_size=100,
        num_layers=shape.num_layers,
        num_heads=shape.num_heads,
        hidden_dim=shape.hidden_dim,
        intermediate_dim=4 * shape.hidden_dim,
        max_sequence_length=shape.positions,
        dropout=shape.dropout,
        dtype=shape.dtype,
    )


def plain_keras(shape, jit_compile="auto"):
    """A careful implementation with only Keras and KerasHub."""
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
    inputs = keras.layers.Dense(shape.hidden_dim, dtype=shape.dtype)
    output = keras.layers.Dense(NUM_CLASSES, dtype="float32")
    model = keras.Model(x, output(core([inputs(x), mask])[:, -1]))
    model.compile(
        keras.optimizers.Adam(LEARNING_RATE, epsilon=1e-8, global_clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=jit_compile,
    )
    return fit(model, shape)


def plain_keras_without_xla(shape):
    """`plain_keras` without XLA, which Keras turns on for TensorFlow."""
    return plain_keras(shape, jit_compile=False)


def keras_fpt(shape):
    """This package with its defaults, apart from the precision."""
    from keras_fpt import FPTClassifier

    model = FPTClassifier(
        keras_hub_backbone(shape),
        NUM_CLASSES,
        input_dim=WIDTH,
        precision=shape.precision,
    )
    return fit(model, shape)


def fit(model, shape):
    import keras

    class Batches(keras.utils.PyDataset):
        def __init__(self, count):
            super().__init__()
            self.count = count

        @property
        def num_batches(self):
            return self.count

        def __getitem__(self, index):
            start = index % NUM_BATCHES * shape.batch_size
            rows = slice(start, start + shape.batch_size)
            return x[rows], y[rows]

    class Clock(keras.callbacks.Callback):
        def __init__(self, reading):
            super().__init__()
            self.reading, self.steps, self.seconds = reading, 0, []

        def on_train_batch_begin(self, batch, logs=None):
            if not self.steps:
                self.began = time.perf_counter()

        def on_train_batch_end(self, batch, logs=None):
            self.steps += steps_per_call
            if self.steps >= self.reading:
                float(logs["loss"])  # Waits for the loss.
                seconds = time.perf_counter() - self.began
                self.seconds.append(seconds / self.steps)
                self.steps = 0

    x, y = examples(shape)
    # Each call of the compiled function trains this many steps.
    steps_per_call = model.steps_per_execution = shape.steps_per_execution

    def train(steps, reading=1):
        clock, stretch = Clock(reading), math.lcm(reading, steps_per_call)
        data = Batches(-(-steps // stretch) * stretch)
        model.fit(data, shuffle=False, verbose=0, callbacks=[clock])
        return clock.seconds

    return train
