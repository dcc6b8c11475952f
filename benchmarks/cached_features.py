"""Time an epoch that trains the output layer, with and without cached features.

    python benchmarks/cached_features.py

The model is GPT-2 base with random weights (it is as fast as with pretrained
ones), on 256 sequences of 64 tokens, with a batch size of 16. `KERAS_BACKEND`
selects the backend. The first epoch of each, which compiles, is not counted.
"""

import argparse
import statistics
import time

import keras
import step_systems
import training_steps

from keras_fpt import FPTClassifier


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    shape = training_steps.SHAPES["base-64"]
    row = measure(shape, arguments.batches, arguments.epochs)
    ratio = row["epoch_seconds"] / row["cached_epoch_seconds"]
    print(f"backend                            {keras.backend.backend()}")
    print(f"epoch with all computation         {row['epoch_seconds']:.3g} s")
    print(f"computing features, with compiling {row['once_seconds']:.3g} s")
    cached = row["cached_epoch_seconds"]
    print(f"epoch on features                  {cached:.3g} s")
    print(f"ratio of the epochs                {ratio:.0f}")


def measure(shape, batches, epochs):
    """Dict of the seconds of both kinds of epoch, and of the features."""
    x, y = step_systems.examples(shape, batches)
    model = FPTClassifier(
        step_systems.keras_hub_backbone(shape),
        step_systems.NUM_CLASSES,
        input_dim=step_systems.WIDTH,
        policy="output_only",
        dropout=0.0,
    )
    each_time = epoch_seconds(model, x, y, shape, epochs)
    began = time.perf_counter()
    features = model.frozen_features(x, shape.batch_size)
    once = time.perf_counter() - began
    head = model.feature_head()
    cached = epoch_seconds(head, features, y, shape, 10 * epochs)
    return {
        "epoch_seconds": each_time,
        "once_seconds": once,
        "cached_epoch_seconds": cached,
    }


def epoch_seconds(model, x, y, shape, epochs):
    """The median duration of the epochs after the first."""

    class Clock(keras.callbacks.Callback):
        seconds = ()

        def on_epoch_begin(self, epoch, logs=None):
            self.began = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds += (time.perf_counter() - self.began,)

    clock = Clock()
    model.fit(
        *(x, y),
        batch_size=shape.batch_size,
        epochs=1 + epochs,
        shuffle=False,
        callbacks=[clock],
        verbose=0,
    )
    return statistics.median(clock.seconds[1:])


if __name__ == "__main__":
    main()
