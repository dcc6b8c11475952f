"""MNIST with a frozen language model, 4 x 4 pixels per token.

    TFDS_DATA_DIR=FOLDER KERAS_BACKEND=torch python examples/mnist.py

Pass `load_weights=False` to `from_preset` to train with random frozen weights
instead. One seed and one learning rate are not enough to compare the two: tune
the learning rate of each and repeat over seeds.
Test accuracy is 34.8% after 100 steps, and 66.5% after the 300 steps of
`keras-fpt train mnist --steps 300` (PyTorch, 2 CPU cores, 2 and 4 minutes).
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402

import keras_fpt  # noqa: E402

STEPS = 100

keras.utils.set_random_seed(0)

task = keras_fpt.tasks.get("mnist")
train, validation, test = task.datasets(batch_size=64, seed=0)

model = keras_fpt.FPTClassifier.from_preset("gpt2_tiny_en", task=task)
model.fit(train, steps_per_epoch=STEPS, verbose=2)

# No setting was chosen here; choose settings on validation data.
loss, accuracy = model.evaluate(test, verbose=0)
print(f"test accuracy {accuracy:.2%} after {STEPS} steps")
