"""MNIST, 4 x 4 pixels a token: pretrained against random frozen weights.

    TFDS_DATA_DIR=FOLDER KERAS_BACKEND=torch python examples/mnist.py

The same recipe twice; the only difference is whether the frozen blocks were
pretrained on English. One seed and one learning rate prove nothing: for a
claim, tune the rate of each arm and repeat over seeds. COST_MNIST
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402

import keras_fpt  # noqa: E402

STEPS = 300

task = keras_fpt.tasks.get("mnist")

for name, pretrained in (("pretrained", True), ("random", False)):
    keras.utils.set_random_seed(0)
    train, validation, test = task.datasets(batch_size=64, seed=0)
    model = keras_fpt.FPTClassifier.from_preset(
        "gpt2_tiny_en", load_weights=pretrained, task=task
    )
    model.fit(train, steps_per_epoch=STEPS, verbose=0)
    # Nothing is chosen here; choices would be made on validation.
    loss, accuracy = model.evaluate(test, verbose=0)
    print(f"{name}: test accuracy {accuracy:.2%} after {STEPS} steps")
