"""The rivals: what an expert on each kind of data would try first."""

import dataclasses
import functools
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_fpt.models import frozen_features
from keras_fpt.results import baselines
from keras_fpt.runs import ResolvedRun, build_model
from keras_fpt.studies import rival_data
from keras_fpt.studies.rival_data import Rows
from keras_fpt.tasks import Task

# The most answers per example, since each needs its own model.
MAX_ANSWERS = 20
# The most features of all training examples together.
MAX_FEATURES = 50_000_000
# What takes the frozen model in a batch.
PROBE_BATCH_SIZE = 64
EXTRA = "pip install 'keras-fpt[compare]'"

_C = ({"C": 0.1}, {"C": 0.01}, {"C": 1.0}, {"C": 0.001}, {"C": 10.0})
_BOOSTING = tuple(
    {"learning_rate": rate, "max_iter": iterations}
    for rate, iterations in ((0.1, 30), (0.3, 30), (0.1, 100), (0.03, 300))
)
_RIDGE = tuple({"alpha": 10.0**k} for k in (0, 1, -1, 2, -2, 3, -3))
_N_GRAMS = tuple(
    {"n_grams": n, "C": c}
    for n, c in ((3, 10), (5, 10), (2, 10), (3, 100), (5, 100), (3, 1), (1, 10))
)
_WINDOWS = ({"window": 0.1}, {"window": 0.0}, {"window": 1.0})

Transform = Callable[[Rows], Any]


@dataclasses.dataclass(frozen=True)
class Rival:
    """A model that is fitted without gradient steps of the frozen model.

    Args:
        name: string, a key of `baselines.DESCRIPTIONS`.
        settings: tuple of dicts, of which validation chooses, the most
            promising first.
        make: function of a `Task` and one of the settings that returns a
            model with `fit` and `predict`, whose labels are `(n, answers)`.
        prepare: function of a `Task` and the training `Rows` that returns a
            function from `Rows` to what the model takes.
        max_examples: int, how many training examples it is fitted to at most,
            or `None`.
        package: string, the package of `keras-fpt[compare]` that it needs.
        remembers: bool, whether the model is the training examples, so that
            it knows all of their labels.
    """

    name: str
    settings: Sequence[Mapping[str, float]]
    make: Callable[[Task, Mapping[str, float]], Any]
    prepare: Callable[[Task, Rows], Transform]
    max_examples: int | None = None
    package: str | None = None
    remembers: bool = False

    def reason_against(self, task: Task) -> str | None:
        """Why it cannot be fitted to a task, and what to do, or `None`."""
        answers = task.num_output_tokens * task.labels_per_token
        if answers > MAX_ANSWERS:
            return (
                f"It needs one model for each of an example's {answers:,} "
                f"answers; at most {MAX_ANSWERS} are fitted."
            )
        if self.package and importlib.util.find_spec(self.package) is None:
            return (
                f"The package '{self.package}' is not installed. Install it "
                f"with {EXTRA} and repeat the command."
            )
        return None


def of_task(task: Task, run: ResolvedRun | None = None) -> list[Rival]:
    """The rivals for a task's kind of data.

    Args:
        task: a `Task`.
        run: a `ResolvedRun` of the frozen model, for its linear probe; `None`
            leaves that out.
    """
    chosen = [_LOGISTIC_REGRESSION, _GRADIENT_BOOSTING]
    chosen += _BY_KIND[rival_data.kind(task)]
    if run is not None:
        chosen.append(
            Rival(
                baselines.LINEAR_PROBE,
                _C,
                _probe,
                functools.partial(_frozen_features, run),
            )
        )
    return chosen


def _flat(task: Task, train: Rows) -> Transform:
    return lambda rows: rows.flat


def _several(model: Any) -> Any:
    from sklearn.multioutput import MultiOutputClassifier

    return MultiOutputClassifier(model)


def _logistic_regression(task: Task, setting: Mapping[str, float]) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    prepare = (
        StandardScaler()
        if task.vocabulary_size is None
        else OneHotEncoder(handle_unknown="ignore")
    )
    model = LogisticRegression(max_iter=200, **setting)
    return _several(make_pipeline(prepare, model))


def _gradient_boosting(task: Task, setting: Mapping[str, float]) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    # It takes at most this many categories.
    is_categorical = task.vocabulary_size and task.vocabulary_size < 255
    columns = list(range(task.sequence_length))
    model = HistGradientBoostingClassifier(
        early_stopping=False,
        categorical_features=columns if is_categorical else None,
        random_state=0,
        **setting,
    )
    return _several(model)


def _n_grams(task: Task, setting: Mapping[str, float]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    vectors = TfidfVectorizer(
        analyzer="char",
        lowercase=False,
        ngram_range=(1, int(setting["n_grams"])),
        sublinear_tf=True,
        max_features=100_000,
    )
    model = LogisticRegression(C=setting["C"], max_iter=200)
    return _Single(make_pipeline(vectors, model))


def _as_text(task: Task, train: Rows) -> Transform:
    """Sequences of tokens as text, in which a letter is a token."""
    # Ideographs, since these are no spaces.
    first = 0x4E00

    def transform(rows: Rows) -> list[str]:
        return [
            "".join(chr(first + int(token)) for token in tokens[:length])
            for tokens, length in zip(rows.tokens, rows.lengths, strict=True)
        ]

    return transform


def _ridge(task: Task, setting: Mapping[str, float]) -> Any:
    from sklearn.linear_model import RidgeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return _Single(make_pipeline(StandardScaler(), RidgeClassifier(**setting)))


def _minirocket(task: Task, train: Rows) -> Transform:
    from keras_fpt.studies import minirocket

    features = minirocket.MiniRocket()
    features.fit(_channels_first(train), train.lengths)
    return lambda rows: features.transform(_channels_first(rows), rows.lengths)


def _multirocket_hydra(task: Task, train: Rows) -> Transform:
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


def _nearest_neighbor(task: Task, setting: Mapping[str, float]) -> Any:
    from keras_fpt.studies import dynamic_time_warping

    return dynamic_time_warping.NearestNeighbor(**setting)


def _itself(task: Task, train: Rows) -> Transform:
    return lambda rows: rows


def _probe(task: Task, setting: Mapping[str, float]) -> Any:
    """Logistic regression on features `(n, output tokens, dim)`."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = LogisticRegression(max_iter=200, **setting)
    return _PerToken(
        _several(make_pipeline(StandardScaler(), model)), task.labels_per_token
    )


def _frozen_features(run: ResolvedRun, task: Task, train: Rows) -> Transform:
    """The states that the frozen model's output layer would read."""
    options = dataclasses.replace(run.model, policy="output_only", dropout=0.0)
    config = run.config.with_settings(policy="output_only", dropout=0.0)
    keras.utils.set_random_seed(run.seed)
    model = build_model(dataclasses.replace(run, model=options, config=config))

    def transform(rows: Rows) -> np.ndarray:
        mask = np.arange(rows.tokens.shape[1]) < rows.lengths[:, None]
        x: Any = rows.tokens
        if not mask.all():
            is_real = mask.reshape(*mask.shape, *(1 for _ in x.shape[2:]))
            x = {"tokens": np.where(is_real, x, 0), "padding_mask": mask}
        batches = frozen_features.batched(x, PROBE_BATCH_SIZE)
        return frozen_features.compute(model, batches, np.arange(len(mask)))

    # Compiled before it is timed.
    transform(train.part(slice(PROBE_BATCH_SIZE)))
    return transform


class _Single:
    """A model with one answer, as one whose labels are `(n, 1)`."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, x: Any, y: np.ndarray) -> None:
        self.model.fit(x, y[:, 0])

    def predict(self, x: Any) -> np.ndarray:
        return self.model.predict(x)[:, None]


class _PerToken:
    """A model that answers for each output token by itself."""

    def __init__(self, model: Any, labels_per_token: int) -> None:
        self.model, self.labels_per_token = model, labels_per_token

    def fit(self, x: np.ndarray, y: np.ndarray) -> None:
        tokens = x.reshape(-1, x.shape[-1])
        self.model.fit(tokens, y.reshape(-1, self.labels_per_token))

    def predict(self, x: np.ndarray) -> np.ndarray:
        answers = self.model.predict(x.reshape(-1, x.shape[-1]))
        return np.asarray(answers).reshape(len(x), -1)


_LOGISTIC_REGRESSION = Rival(
    baselines.LOGISTIC_REGRESSION, _C, _logistic_regression, _flat
)
_GRADIENT_BOOSTING = Rival(
    baselines.GRADIENT_BOOSTING, _BOOSTING, _gradient_boosting, _flat
)
_BY_KIND: dict[str, list[Rival]] = {
    rival_data.SERIES: [
        Rival(
            baselines.MINIROCKET,
            _RIDGE,
            _ridge,
            _minirocket,
            MAX_FEATURES // 10_000,
        ),
        Rival(
            baselines.NEAREST_NEIGHBOR,
            _WINDOWS,
            _nearest_neighbor,
            _itself,
            remembers=True,
        ),
        Rival(
            baselines.MULTIROCKET_HYDRA,
            _RIDGE,
            _ridge,
            _multirocket_hydra,
            MAX_FEATURES // 55_000,
            package="aeon",
        ),
    ],
    rival_data.STRINGS: [
        Rival(baselines.N_GRAMS, _N_GRAMS, _n_grams, _as_text)
    ],
    rival_data.IMAGES: [],
    rival_data.TABLE: [],
    rival_data.OTHER: [],
}
