"""The features that rivals are fitted to, computed from a task's examples."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np

from keras_fpt.models import frozen_features as frozen
from keras_fpt.results import baselines
from keras_fpt.runs import ResolvedRun, build_model, resolve
from keras_fpt.studies.classical import CannotBeFitted
from keras_fpt.studies.rival_data import Rows
from keras_fpt.studies.rival_shapes import TokenStates
from keras_fpt.tasks import Task

# The batch size of the frozen model.
PROBE_BATCH_SIZE = 64
Transform = Callable[[Rows], Any]

# The most features of all training examples together.
MAX_FEATURES = 50_000_000
# The width of a token's states that room is made for: of labels per token, and
# of images, whose features are of all tokens.
_STATES_WIDTH, _IMAGES_WIDTH = 1024, 256
# The most labeled tokens whose states are kept.
_MOST_TOKENS = MAX_FEATURES // _STATES_WIDTH


def flat(task: Task, train: Rows) -> Transform:
    """All numbers of a sequence in one row."""
    return lambda rows: rows.flat


def as_text(task: Task, train: Rows) -> Transform:
    """Sequences of tokens as text, in which a letter is a token."""
    # Ideographs, since these are no spaces.
    first = 0x4E00

    def transform(rows: Rows) -> list[str]:
        return [
            "".join(chr(first + int(token)) for token in tokens[:length])
            for tokens, length in zip(rows.tokens, rows.lengths, strict=True)
        ]

    return transform


def minirocket(task: Task, train: Rows) -> Transform:
    """The features of MiniROCKET, whose biases are drawn from train."""
    from keras_fpt.studies import minirocket

    features = minirocket.MiniRocket()
    features.fit(_channels_first(train), train.lengths)
    return lambda rows: features.transform(_channels_first(rows), rows.lengths)


def multirocket_hydra(task: Task, train: Rows) -> Transform:
    """Features of aeon's MultiROCKET and Hydra, as its classifier scales them.

    Shorter series are padded with zeros, since they take one length.
    """
    from aeon.transformations.collection import convolution_based

    kinds = (convolution_based.MultiRocket, convolution_based.HydraTransformer)
    rocket, hydra = (make(random_state=0) for make in kinds)

    def transform(rows: Rows, fit: bool = False) -> np.ndarray:
        x = _channels_first(rows).astype("float32")
        missing = max(0, _SHORTEST - x.shape[-1])
        x = np.pad(x, [(0, 0), (0, 0), (0, missing)])
        if fit:
            rocket.fit(x)
            hydra.fit(x)
        counts = np.sqrt(np.maximum(np.asarray(hydra.transform(x)), 0))
        return np.hstack([np.asarray(rocket.transform(x)), counts])

    transform(train, fit=True)
    return transform


# MultiROCKET takes differences of neighbors, and kernels of 9 weights.
_SHORTEST = 10


def _channels_first(rows: Rows) -> np.ndarray:
    return np.swapaxes(rows.tokens, 1, 2)


def origins(task: Task, train: Rows) -> Transform:
    """Where forecasts begin in the series, for models of whole series."""
    return lambda rows: rows.origins


def itself(task: Task, train: Rows) -> Transform:
    """The sequences as they are, for rivals that compare them."""
    return lambda rows: rows


def pictures(task: Task, train: Rows) -> Transform:
    """The images that tokens were cut from, with a last axis of channels."""
    picture: Any = task.picture

    def transform(rows: Rows) -> np.ndarray:
        images = np.stack([picture(tokens) for tokens in rows.tokens])
        return images if images.ndim == 4 else images[..., None]

    return transform


def steps_features(run: ResolvedRun, task: Task, train: Rows) -> Transform:
    """`frozen_features` of a token for each step of a series, not of patches.

    Raises:
        CannotBeFitted: the series have more steps than the model has positions.
    """
    options = dataclasses.replace(run.model, patch_size=None, patch_stride=None)
    config = run.config.with_settings(patch_size=None, patch_stride=None)
    run = dataclasses.replace(run, model=options, config=config)
    try:
        return frozen_features(run, task, train)
    except ValueError as error:
        raise CannotBeFitted(str(error)) from error


def random_features(run: ResolvedRun, task: Task, train: Rows) -> Transform:
    """`frozen_features` of a model with random frozen weights."""
    return frozen_features(_untrained(run), task, train)


def random_steps_features(
    run: ResolvedRun, task: Task, train: Rows
) -> Transform:
    """`steps_features` of a model with random frozen weights.

    Raises:
        CannotBeFitted: as `steps_features` does.
    """
    return steps_features(_untrained(run), task, train)


def _untrained(run: ResolvedRun) -> ResolvedRun:
    return resolve(dataclasses.replace(run.config, arm="random"), run.task)


def frozen_features(run: ResolvedRun, task: Task, train: Rows) -> Transform:
    """The states that the frozen model's output layer would read.

    Where tokens have labels, these are `TokenStates` of those that have one,
    or of a seeded choice of them from all sequences, if there are many.
    """
    options = dataclasses.replace(run.model, policy="output_only", dropout=0.0)
    config = run.config.with_settings(policy="output_only", dropout=0.0)
    keras.utils.set_random_seed(run.seed)
    model = build_model(dataclasses.replace(run, model=options, config=config))

    def transform(rows: Rows) -> Any:
        mask = np.arange(rows.tokens.shape[1]) < rows.lengths[:, None]
        x: Any = rows.tokens
        if not mask.all():
            is_real = mask.reshape(*mask.shape, *(1 for _ in x.shape[2:]))
            x = {"tokens": np.where(is_real, x, 0), "padding_mask": mask}
        batches = frozen.batched(x, PROBE_BATCH_SIZE)
        if task.is_per_token:
            return _states_of_tokens(model, batches, rows.y >= 0)
        return frozen.compute(model, batches, np.arange(len(mask)))

    # Compiled before it is timed.
    transform(train.part(slice(PROBE_BATCH_SIZE)))
    return transform


# The features of each linear probe.
PROBES: dict[str, Callable[[ResolvedRun, Task, Rows], Transform]] = {
    baselines.LINEAR_PROBE: frozen_features,
    baselines.STEPS_PROBE: steps_features,
    baselines.RANDOM_PROBE: random_features,
    baselines.RANDOM_STEPS_PROBE: random_steps_features,
}


def _states_of_tokens(
    model: Any, batches: Iterable[Any], has_label: np.ndarray
) -> TokenStates:
    """The states of at most so many labeled tokens as there is room for."""
    places = np.argwhere(has_label)
    if len(places) > _MOST_TOKENS:
        order = np.random.default_rng(0).permutation(len(places))
        places = places[np.sort(order[:_MOST_TOKENS])]
    parts, start = [], 0
    for states in frozen.of_batches(model, batches):
        ends = np.searchsorted(places[:, 0], [start, start + len(states)])
        own, steps = places[slice(*ends)].T
        parts.append(states[own - start, steps])
        start += len(states)
    return TokenStates(np.concatenate(parts), places, has_label.shape)


def most_examples(task: Task, run: ResolvedRun) -> int | None:
    """How many training examples have room for the frozen states of all tokens.

    Args:
        task: a `Task`.
        run: the `ResolvedRun`, whose readout may take them all.

    Returns:
        int, or `None` if any number has.
    """
    if task.is_per_token or run.model.readout != "flatten":
        return None
    return max(1, MAX_FEATURES // (task.sequence_length * _IMAGES_WIDTH))


def most_held_out(task: Task) -> int | None:
    """How many examples have room for the states of all labeled tokens.

    Args:
        task: a `Task`.

    Returns:
        int, or `None` if tokens have no labels.
    """
    if not task.is_per_token:
        return None
    return max(1, _MOST_TOKENS // task.sequence_length)
