"""Compare how a linear probe of the frozen model may read a series.

    python benchmarks/series_probes.py FOLDER --sets GunPoint ArrowHead

FOLDER is as in `series_rivals.py`. A probe is logistic regression on frozen
features, read by `last+mean`: those of `gpt2_tiny_en`, and with `--arms fpt
random no_blocks` those of the same model with random weights, and without
blocks. For several patch sizes, what is printed is its five-fold
cross-validation on the published training data, at the best of four strengths.
The published test data is not used.
"""

import argparse
import dataclasses
import pathlib

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from keras_fpt.runs import RunConfig, resolve
from keras_fpt.studies import kind_defaults, rival_data, rival_features

SETS = [
    "BasicMotions",
    "GunPoint",
    "ArrowHead",
    "ItalyPowerDemand",
    "JapaneseVowels",
    "OSULeaf",
]
STRENGTHS = (0.01, 0.1, 1, 10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--arms", nargs="+", default=["fpt"])
    arguments = parser.parse_args()
    for name in arguments.sets:
        train, test = (
            str(arguments.folder / name / f"{name}_{split}.ts")
            for split in ("TRAIN", "TEST")
        )
        config = RunConfig(train, options={"test": test})
        default = kind_defaults.patches(resolve(config).task).get(
            "patch_stride", 1
        )
        for size in dict.fromkeys([default, max(1, default // 2), 1]):
            for arm in arguments.arms:
                accuracy = cross_validate(
                    dataclasses.replace(config, arm=arm), size, arguments.seeds
                )
                print(f"{name}, patch size {size}, {arm}: {accuracy:.1%}")


def cross_validate(config: RunConfig, size: int, seeds: list[int]) -> float:
    """The accuracy of a probe of patches, at its best strength.

    Args:
        config: a `RunConfig`.
        size: int, the patch size; 1 has a token for each step.
        seeds: list of ints, of the folds.
    """
    settings = {"readout": "last+mean"}
    if size > 1:
        settings |= {"patch_size": size}
    run = resolve(config.with_settings(**settings))
    data = rival_data.read_splits(run.task)
    features = rival_features.frozen_features(run, run.task, data["train"])
    # The validation examples are a part of the published training data.
    x, y = (
        np.concatenate(
            [values(data[split]) for split in data if split != "test"]
        )
        for values in (features, lambda rows: rows.y)
    )
    x, y = x.reshape(len(x), -1), y[:, 0]
    fold_count = min(5, np.bincount(y)[np.unique(y)].min())
    found = []
    for strength in STRENGTHS:
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=strength, max_iter=300)
        )
        scores = [
            cross_val_score(
                model,
                x,
                y,
                cv=StratifiedKFold(fold_count, shuffle=True, random_state=seed),
            )
            for seed in seeds
        ]
        found.append(np.mean(scores))
    return float(max(found))


if __name__ == "__main__":
    main()
