"""Measure what the rivals of `compare` reach on data sets of the UCR archive.

    python benchmarks/series_rivals.py FOLDER --sets GunPoint ArrowHead

FOLDER holds `NAME/NAME_TRAIN.ts` and `NAME/NAME_TEST.ts`, as the wheel of aeon
does in `aeon/datasets/data`. Two protocols are measured:

- `compare`: a tenth of train chooses the settings, as in `keras-fpt compare`;
- `published`: MiniROCKET with a ridge regression on all of train, whose
  strength is chosen by leave-one-out, as in Dempster et al. (2021).
"""

import argparse
import pathlib

import numpy as np
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from keras_fpt import tasks
from keras_fpt.runs import RunConfig, resolve
from keras_fpt.studies import minirocket, rival_data, rivals
from keras_fpt.studies.deadline import Deadline

SETS = [
    "GunPoint",
    "ItalyPowerDemand",
    "ArrowHead",
    "BasicMotions",
    "JapaneseVowels",
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument(
        "--seconds", type=float, default=120.0, help="per rival"
    )
    parser.add_argument("--seeds", type=int, default=3, help="of MiniROCKET")
    arguments = parser.parse_args()
    for name in arguments.sets:
        train, test = (
            str(arguments.folder / name / f"{name}_{split}.ts")
            for split in ("TRAIN", "TEST")
        )
        run = resolve(RunConfig(train, options={"test": test}))
        found, not_run = rivals.fit_all(
            run.task, Deadline(), arguments.seconds, run
        )
        for each in found:
            accuracy = f"{each.test_accuracy:.2%}"
            print(
                f"{name}, compare: {each.name} {accuracy} {each.seconds:.1f} s"
            )
        for entry in not_run:
            print(f"{name}, compare: {entry.what}: {entry.reason}")
        accuracies = [published(run.task, i) for i in range(arguments.seeds)]
        shown = ", ".join(f"{accuracy:.2%}" for accuracy in accuracies)
        print(f"{name}, published: minirocket {shown}", flush=True)


def published(task: tasks.Task, seed: int) -> float:
    """The test accuracy of MiniROCKET by the protocol of its paper."""
    data = rival_data.read_splits(task)
    train, validation, test = (
        (np.swapaxes(rows.tokens, 1, 2), rows.lengths, rows.y[:, 0])
        for rows in (data[split] for split in ("train", "validation", "test"))
    )
    x, lengths, y = (
        np.concatenate(pair) for pair in zip(train, validation, strict=True)
    )
    features = minirocket.MiniRocket(seed).fit(x, lengths)
    model = make_pipeline(
        StandardScaler(), RidgeClassifierCV(np.logspace(-3, 3, 10))
    )
    model.fit(features.transform(x, lengths), y)
    return float(model.score(features.transform(*test[:2]), test[2]))


if __name__ == "__main__":
    main()
