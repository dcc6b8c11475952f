"""Remote homology: from a protein's amino acids to its fold (TAPE)."""

import functools
import logging
import os
import pathlib

import numpy as np
import tensorflow as tf

from keras_fpt.files import cache
from keras_fpt.tasks import proteins, tape
from keras_fpt.tasks.stored import Examples, Stored
from keras_fpt.tasks.task import Origin, Recipe, Task

LOGGER = logging.getLogger(__name__)
# TAPE's names of the splits.
SPLITS = {
    "train": "train",
    "validation": "valid",
    "test": "test_fold_holdout",
    "superfamily": "test_superfamily_holdout",
    "family": "test_family_holdout",
}


def task(
    data_dir: str | os.PathLike | None = None, max_length: int = 1024
) -> Task:
    """Proteins, one token per amino acid; classes are 1,195 folds.

    `test` is TAPE's fold hold-out, whose proteins share a fold, but no
    superfamily, with those of train; `superfamily` and `family` are its other
    hold-outs.

    Args:
        data_dir: the folder that holds TAPE's folder `remote_homology`, with
            JSON or LMDB files. `None` is the folder that the environment
            variable `KERAS_FPT_HOME` names, or else `~/.cache/keras_fpt`.
        max_length: int, longer proteins are left out, and their number is
            logged.

    Source: Rao et al., 2019, section 4; Lu et al., 2021, section 2.2.
    """
    if max_length < 1:
        raise ValueError(
            f"Expected a max_length of at least 1 but received {max_length}."
        )
    return Task(
        name="remote_homology",
        description=(
            f"proteins of up to {max_length:,} amino acids -> "
            f"{tape.NUM_FOLDS:,} folds"
        ),
        num_classes=tape.NUM_FOLDS,
        sequence_length=max_length,
        data=Stored(
            lambda: _read(_folder(data_dir), max_length),
            more_splits=("superfamily", "family"),
        ),
        recipe=Recipe(steps=2000, batch_size=32),
        vocabulary_size=len(proteins.AMINO_ACIDS),
        top_5=True,
        origin=Origin(
            "TAPE, https://github.com/songlab-cal/tape; its proteins, folds "
            "and splits are those of DeepSF (Hou, Adhikari and Cheng, 2018), "
            "from SCOP",
            "BSD 3-Clause (TAPE's repository)",
            "Rao et al., 2019, Evaluating Protein Transfer Learning with "
            "TAPE, arXiv:1906.08230",
        ),
        symbols=tuple(proteins.AMINO_ACIDS),
    )


def _folder(data_dir: str | os.PathLike | None) -> pathlib.Path:
    return pathlib.Path(data_dir).expanduser() if data_dir else cache.home()


@functools.cache
def _read(folder: pathlib.Path, max_length: int) -> dict[str, Examples]:
    splits = {}
    left_out = []
    for split, name in SPLITS.items():
        records = tape.read_split(folder, name)
        splits[split] = _examples(records, max_length)
        count = len(records) - len(splits[split].y)
        if count == len(records):
            raise ValueError(
                f"All {count:,} proteins of {split} in `{folder}` are longer "
                f"than max_length={max_length:,}."
            )
        if count:
            left_out.append(f"{count:,} of {len(records):,} {split}")
    if left_out:
        LOGGER.info(
            f"remote_homology: left out {', '.join(left_out)} proteins longer "
            f"than {max_length:,} amino acids"
        )
    return splits


def _examples(records: list[tape.Protein], max_length: int) -> Examples:
    tokens = [proteins.encode(r.sequence, r.where) for r in records]
    kept = [n for n, row in enumerate(tokens) if len(row) <= max_length]
    rows = [tokens[n] for n in kept]
    splits = np.cumsum([0, *map(len, rows)])
    flat = np.concatenate([np.zeros(0, np.int32), *rows])
    return Examples(
        tf.RaggedTensor.from_row_splits(flat, splits),
        np.array([records[n].fold for n in kept], np.int32),
        [records[n].name for n in kept],
        _superfamilies([records[n] for n in kept]),
    )


def _superfamilies(records: list[tape.Protein]) -> np.ndarray | None:
    """The number of each protein's superfamily; `None` if one is unknown."""
    names = [(record.fold, record.superfamily) for record in records]
    if any(superfamily is None for _, superfamily in names):
        return None
    numbers = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names], np.int32)
