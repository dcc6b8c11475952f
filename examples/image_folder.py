"""Classify a folder of images with one subfolder per class.

    KERAS_BACKEND=torch python examples/image_folder.py

This writes scikit-learn's 1,797 handwritten digits as PNG files to the folder
`images`, and makes a task from it. Each token is a patch of 2 x 2 pixels.

On 2 CPU cores it took 92 s (PyTorch) and printed, among other lines,

    images: 1,797 sequences, 16 tokens of width 4 -> 10 classes
      split: 1,294 train, 144 validation, 359 test (seeded, stratified)
      images: 8 x 8 pixels, grayscale
      patches: 2 x 2 pixels
    test accuracy 88.6%
    176 of 179 images of a 7 are classified correctly
"""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
from PIL import Image  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402

import keras_fpt  # noqa: E402

STEPS = 400

digits = load_digits()
for number, (pixels, label) in enumerate(
    zip(digits.images, digits.target, strict=True)
):
    path = pathlib.Path("images", f"digit {label}", f"{number:04}.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((pixels * 15).astype("uint8")).save(path)

keras.utils.set_random_seed(0)
task = keras_fpt.tasks.from_image_folder("images", patch_size=2)
model = keras_fpt.FPTClassifier.from_preset("gpt2_tiny_en", task=task)
train, validation, test = task.datasets(batch_size=64, seed=0)
model.fit(
    train,
    validation_data=validation,
    steps_per_epoch=STEPS // 4,
    epochs=4,
    verbose=2,
)
loss, accuracy = model.evaluate(test, verbose=0)
print(f"test accuracy {accuracy:.1%}")

# The reader takes files of the training folder or new ones.
tokens, names = task.reader.read("images/digit 7")
predictions = model.predict(tokens, verbose=0).argmax(axis=1)
correct = sum(task.class_names[label] == "digit 7" for label in predictions)
print(f"{correct} of {len(names)} images of a 7 are classified correctly")
