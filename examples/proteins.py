"""Classify your own proteins from a FASTA file and a table of labels.

    KERAS_BACKEND=torch python examples/proteins.py

The proteins are simulated, with 60 to 120 amino acids. Half of them contain a
stretch of about 20 hydrophobic ones, as proteins that cross a membrane do.
For real folds, see the task `remote_homology`.

On 2 CPU cores it took 163 s (PyTorch) and ended with

    test accuracy 96.2%; majority class: 51.2%
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402

import keras_fpt  # noqa: E402

STEPS = 200
HYDROPHOBIC, OTHERS = list("AVILMFWG"), list("STNQDEKRHYCP")


def simulate(kind, random):
    """A sequence of amino acids, about four in ten of them hydrophobic."""
    hydrophobic = random.random(random.integers(60, 121)) < 0.4
    if kind == "membrane":
        start = random.integers(len(hydrophobic) - 20)
        hydrophobic[start : start + random.integers(18, 24)] = True
    letters = [HYDROPHOBIC if flag else OTHERS for flag in hydrophobic]
    return "".join(random.choice(choices) for choices in letters)


random = np.random.default_rng(0)
with open("proteins.fasta", "w") as fasta, open("labels.csv", "w") as labels:
    labels.write("id,place\n")
    for number in range(2000):
        kind = random.choice(["membrane", "soluble"])
        fasta.write(f">protein{number}\n{simulate(kind, random)}\n")
        labels.write(f"protein{number},{kind}\n")

keras.utils.set_random_seed(0)
task = keras_fpt.tasks.from_fasta("proteins.fasta", "labels.csv")
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
print(
    f"test accuracy {accuracy:.1%}; majority class: "
    f"{task.majority_accuracy('test'):.1%}"
)
