"""Proteins of your own: a FASTA file and a table of labels.

    KERAS_BACKEND=torch python examples/proteins.py

Simulated pieces of protein whose oily side chains come back every 3.6 residues,
as they do in a helix with one face to the water, or every second one, as in
such a strand. Which amino acid stands where says nothing; only the rhythm does.
For real folds, see the task `remote_homology`.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402

import keras_fpt  # noqa: E402

STEPS = 400
OILY, POLAR = list("AVILMFWY"), list("STNQDEKRHG")
RESIDUES_A_TURN = {"helix": 3.6, "strand": 2.0}


def simulate(kind, random):
    """A sequence of 20 to 60 amino acids; one in ten is out of its rhythm."""
    places = np.arange(random.integers(20, 61)) + random.uniform(0, 3.6)
    is_oily = np.cos(2 * np.pi * places / RESIDUES_A_TURN[kind]) > 0
    is_oily ^= random.random(len(places)) < 0.1
    return "".join(random.choice(OILY if o else POLAR) for o in is_oily)


random = np.random.default_rng(0)
with open("pieces.fasta", "w") as fasta, open("labels.csv", "w") as labels:
    labels.write("id,structure\n")
    for number in range(2000):
        kind = random.choice(list(RESIDUES_A_TURN))
        fasta.write(f">piece{number}\n{simulate(kind, random)}\n")
        labels.write(f"piece{number},{kind}\n")

keras.utils.set_random_seed(0)
task = keras_fpt.tasks.from_fasta("pieces.fasta", "labels.csv")
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
    f"test accuracy {accuracy:.1%}; always giving the commonest answer: "
    f"{task.majority_accuracy('test'):.1%}"
)
