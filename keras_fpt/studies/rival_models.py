"""The rivals: what an expert on each kind of data would try first."""

import dataclasses
import functools
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keras_fpt.results import baselines
from keras_fpt.runs import ResolvedRun
from keras_fpt.studies import (
    classical,
    rival_data,
    rival_features,
    rival_shapes,
    token_rivals,
)
from keras_fpt.studies.rival_data import Rows
from keras_fpt.studies.rival_features import Transform
from keras_fpt.tasks import Task

# The most answers per example, since each needs its own model.
MAX_ANSWERS = 20
# The most origins that models of whole series forecast from.
MAX_ORIGINS = 500
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
# Epochs of a network; each is a new training.
_EPOCHS = ({"epochs": 10}, {"epochs": 3}, {"epochs": 30}, {"epochs": 100})
_N_GRAMS_RIDGE = tuple(
    {"n_grams": n, "alpha": alpha}
    for n, alpha in ((3, 1), (5, 1), (2, 1), (3, 0.1), (5, 0.1), (3, 10))
)
_WINDOWS = ({"window": 0.1}, {"window": 0.0}, {"window": 1.0})


@dataclasses.dataclass(frozen=True)
class Rival:
    """A model that is fitted without gradient steps of the frozen model.

    Args:
        name: string, a key of `baselines.DESCRIPTIONS`.
        settings: tuple of dicts, of which validation chooses, the most
            promising first.
        make: function of a `Task` and one of the settings that returns a
            model with `fit` and `predict`, whose labels are `(n, answers)`,
            or `(n, tokens)`.
        prepare: function of a `Task` and the training `Rows` that returns a
            function from `Rows` to what the model takes.
        max_examples: int, how many training examples it is fitted to at most,
            or `None`.
        package: string, the package of `keras-fpt[compare]` that it needs.
        remembers: bool, whether the model is the training examples, so that
            it knows all of their labels.
        of_series: bool, whether the model is fitted to a forecast's whole
            series instead of examples, so that it is not tested on train.
        max_held_out: int, how many examples of validation, evenly spaced, it
            predicts at most, and how many of test at a time; of whole series,
            at most so many of test, too. `None` is any number.
    """

    name: str
    settings: Sequence[Mapping[str, float]]
    make: Callable[[Task, Mapping[str, float]], Any]
    prepare: Callable[[Task, Rows], Transform]
    max_examples: int | None = None
    package: str | None = None
    remembers: bool = False
    of_series: bool = False
    max_held_out: int | None = None

    @property
    def max_tested(self) -> int | None:
        """How many examples of test it predicts at most, evenly spaced."""
        return self.max_held_out if self.of_series else None

    def reason_against(self, task: Task) -> str | None:
        """Why it cannot be fitted to a task, and the remedy, or `None`."""
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
        if self.of_series and task.history is None:
            return (
                "It is fitted to whole series, and not to a number of "
                "training examples."
            )
        return None


def of_task(
    task: Task,
    run: ResolvedRun | None = None,
    probes: Sequence[str] = (baselines.LINEAR_PROBE,),
) -> list[Rival]:
    """The rivals for a task's kind of data.

    Args:
        task: a `Task`.
        run: a `ResolvedRun` of the frozen model, for its probes, or `None`.
        probes: sequence of strings, the names of its linear probes.
    """
    if task.is_forecast:
        return [_FLAT_RIDGE, _DLINEAR, *_classical(task)]
    is_regression, kind = task.is_regression, rival_data.data_kind(task)
    if task.is_per_token:
        chosen = list(_OF_TOKENS)
    elif is_regression:
        chosen = [_FLAT_RIDGE, _GRADIENT_BOOSTING, *_of_numbers(kind)]
    else:
        chosen = [_LOGISTIC_REGRESSION, _GRADIENT_BOOSTING, *_BY_KIND[kind]]
    if run is not None:
        chosen += [
            Rival(
                name,
                _RIDGE if is_regression else _C,
                _ridge_probe if is_regression else _probe,
                functools.partial(rival_features.PROBES[name], run),
                max_examples=rival_features.most_examples(task, run),
                max_held_out=rival_features.most_held_out(task),
            )
            for name in probes
        ]
    return chosen


def _of_numbers(kind: str) -> list[Rival]:
    """The rivals for a kind of data whose labels are numbers."""
    return [
        dataclasses.replace(
            rival,
            make=_NUMBERS_MAKERS.get(rival.name, rival.make),
            settings=_NUMBERS_SETTINGS.get(rival.name, rival.settings),
        )
        for rival in _BY_KIND[kind]
    ]


def _classical(task: Task) -> list[Rival]:
    """The rivals that are fitted to whole series."""
    return [
        Rival(
            name,
            classical.settings(name, task.reader.season),
            classical.maker(name),
            rival_features.origins,
            package=classical.PACKAGE,
            of_series=True,
            max_held_out=MAX_ORIGINS,
        )
        for name in classical.MODELS
    ]


def _several(task: Task, model: Any) -> Any:
    """A model for each of an example's answers."""
    from sklearn.multioutput import MultiOutputClassifier

    if task.is_multilabel:
        return rival_shapes.Rows(_each_label(model))
    return MultiOutputClassifier(model)


def _each_label(model: Any) -> Any:
    """A model for each label, of which some may be constant in train."""
    from sklearn.multiclass import OneVsRestClassifier

    return OneVsRestClassifier(model)


def _logistic_regression(task: Task, setting: Mapping[str, float]) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = LogisticRegression(max_iter=200, **setting)
    return _several(task, make_pipeline(_scaler(task), model))


def _scaler(task: Task) -> Any:
    """The preprocessing of flattened tokens for a linear model."""
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    if task.vocabulary_size is None:
        return StandardScaler()
    return OneHotEncoder(handle_unknown="ignore")


def _flat_ridge(task: Task, setting: Mapping[str, float]) -> Any:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    return rival_shapes.Rows(make_pipeline(_scaler(task), Ridge(**setting)))


def _dlinear(task: Task, setting: Mapping[str, float]) -> Any:
    from keras_fpt.studies import dlinear

    return dlinear.DLinear(
        (task.input_dim or 1) - task.future_dim,
        setting["alpha"],
        task.horizon or 0,
        task.future_dim,
    )


def _gradient_boosting(task: Task, setting: Mapping[str, float]) -> Any:
    from sklearn.ensemble import (
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    )
    from sklearn.multioutput import MultiOutputRegressor

    # It takes at most this many categories.
    is_categorical = task.vocabulary_size and task.vocabulary_size < 255
    columns = list(range(task.sequence_length))
    is_regression = task.is_regression
    make: Any = HistGradientBoostingClassifier
    if is_regression:
        make = HistGradientBoostingRegressor
    model = make(
        early_stopping=False,
        categorical_features=columns if is_categorical else None,
        random_state=0,
        **setting,
    )
    return (
        MultiOutputRegressor(model) if is_regression else _several(task, model)
    )


def _n_grams(task: Task, setting: Mapping[str, float]) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model: Any = LogisticRegression(C=setting["C"], max_iter=200)
    if task.is_multilabel:
        model = _each_label(model)
    return _shaped(task, make_pipeline(_counts(setting), model))


def _shaped(task: Task, model: Any) -> Any:
    """A model that predicts all of an example's answers together."""
    shape = rival_shapes.Rows if task.is_multilabel else rival_shapes.Single
    return shape(model)


def _n_grams_ridge(task: Task, setting: Mapping[str, float]) -> Any:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    model = Ridge(alpha=setting["alpha"])
    return rival_shapes.Rows(make_pipeline(_counts(setting), model))


def _counts(setting: Mapping[str, float]) -> Any:
    """Weighted counts of a text's pieces of up to `n_grams` letters."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        analyzer="char",
        lowercase=False,
        ngram_range=(1, int(setting["n_grams"])),
        sublinear_tf=True,
        max_features=100_000,
    )


def _ridge(task: Task, setting: Mapping[str, float]) -> Any:
    from sklearn.linear_model import RidgeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return _shaped(
        task, make_pipeline(StandardScaler(), RidgeClassifier(**setting))
    )


def _features_ridge(task: Task, setting: Mapping[str, float]) -> Any:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return rival_shapes.Rows(make_pipeline(StandardScaler(), Ridge(**setting)))


def _nearest_neighbor(task: Task, setting: Mapping[str, float]) -> Any:
    from keras_fpt.studies import dynamic_time_warping

    return dynamic_time_warping.NearestNeighbor(**setting)


def _probe(task: Task, setting: Mapping[str, float]) -> Any:
    """Logistic regression on features `(n, tokens, dim)`, or `TokenStates`."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(
        StandardScaler(), LogisticRegression(max_iter=200, **setting)
    )
    if task.is_per_token:
        return rival_shapes.EachToken(model)
    return rival_shapes.PerToken(
        _several(task, model),
        task.num_classes if task.is_multilabel else task.labels_per_token,
    )


def _ridge_probe(task: Task, setting: Mapping[str, float]) -> Any:
    """Ridge regression on features `(n, 1, dim)`."""
    return rival_shapes.Flat(_features_ridge(task, setting))


def _small_cnn(task: Task, setting: Mapping[str, float]) -> Any:
    from keras_fpt.studies import small_cnn

    return small_cnn.SmallCNN(
        int(setting["epochs"]), task.num_classes, task.is_multilabel
    )


_LOGISTIC_REGRESSION = Rival(
    baselines.LOGISTIC_REGRESSION, _C, _logistic_regression, rival_features.flat
)
_GRADIENT_BOOSTING = Rival(
    baselines.GRADIENT_BOOSTING,
    _BOOSTING,
    _gradient_boosting,
    rival_features.flat,
)
_OF_TOKENS = tuple(
    Rival(*each, rival_features.itself) for each in token_rivals.MODELS
)
_FLAT_RIDGE = Rival(baselines.RIDGE, _RIDGE, _flat_ridge, rival_features.flat)
_DLINEAR = Rival(
    baselines.DLINEAR,
    (*_RIDGE, {"alpha": 1e4}, {"alpha": 1e5}),
    _dlinear,
    rival_features.flat,
)
# Models for regressions. Nearest neighbors predict any kind of label.
_NUMBERS_MAKERS: dict[str, Any] = {
    baselines.MINIROCKET: _features_ridge,
    baselines.MULTIROCKET_HYDRA: _features_ridge,
    baselines.N_GRAMS: _n_grams_ridge,
}
_NUMBERS_SETTINGS = {baselines.N_GRAMS: _N_GRAMS_RIDGE}
_BY_KIND: dict[str, list[Rival]] = {
    rival_data.SERIES: [
        Rival(
            baselines.MINIROCKET,
            _RIDGE,
            _ridge,
            rival_features.minirocket,
            rival_features.MAX_FEATURES // 10_000,
        ),
        Rival(
            baselines.NEAREST_NEIGHBOR,
            _WINDOWS,
            _nearest_neighbor,
            rival_features.itself,
            remembers=True,
        ),
        Rival(
            baselines.MULTIROCKET_HYDRA,
            _RIDGE,
            _ridge,
            rival_features.multirocket_hydra,
            rival_features.MAX_FEATURES // 55_000,
            package="aeon",
        ),
    ],
    rival_data.STRINGS: [
        Rival(baselines.N_GRAMS, _N_GRAMS, _n_grams, rival_features.as_text)
    ],
    rival_data.IMAGES: [
        Rival(baselines.SMALL_CNN, _EPOCHS, _small_cnn, rival_features.pictures)
    ],
    rival_data.TABLE: [],
    rival_data.OTHER: [],
}
