"""What a person would try first: no language model, no sequence, no GPU."""

import dataclasses
import pathlib
import time
import warnings

import numpy as np

from keras_fpt.results import records
from keras_fpt.results.not_run import NotRun
from keras_fpt.studies.deadline import OutOfTime
from keras_fpt.tasks.stored import Stored

FILE = "baselines.json"
# Numbers that one model is fitted to at most; fewer examples are used where
# there are more.
MOST_VALUES = 20_000_000
# Of a task that gives several answers, each needs a model of its own.
MOST_ANSWERS = 20
# Examples of a task that generates them without end.
GENERATED_EXAMPLES = 10_000
BATCH_SIZE = 500

MAJORITY = "majority"
LOGISTIC_REGRESSION = "logistic_regression"
GRADIENT_BOOSTING = "gradient_boosting"
DESCRIPTIONS = {
    MAJORITY: "the commonest answer of train",
    LOGISTIC_REGRESSION: "scikit-learn's, on the flattened tokens",
    GRADIENT_BOOSTING: "scikit-learn's, on the flattened tokens",
}
_C = ({"C": 0.1}, {"C": 0.01}, {"C": 1.0}, {"C": 0.001})
_BOOSTING = tuple(
    {"learning_rate": rate, "max_iter": iterations}
    for rate, iterations in ((0.1, 30), (0.3, 30), (0.1, 100), (0.03, 300))
)


@dataclasses.dataclass(frozen=True)
class Baseline:
    """What a model that was fitted without gradient steps reaches.

    Args:
        task: string.
        name: string, a key of `DESCRIPTIONS`.
        settings: string, those that validation chose.
        train_accuracy: float.
        validation_accuracy: float.
        test_accuracy: float.
        seconds: float, of fitting and of choosing the settings.
        train_examples: int, what it was fitted to.
        test_examples: int.
    """

    task: str
    name: str
    settings: str
    train_accuracy: float
    validation_accuracy: float
    test_accuracy: float
    seconds: float
    train_examples: int
    test_examples: int


def majority(task):
    """The class that is commonest in train, whatever the example."""
    counts = task.class_counts("train")
    return Baseline(
        task.name,
        MAJORITY,
        "",
        # Generated training examples are like those of validation.
        task.majority_accuracy("validation" if counts is None else "train"),
        task.majority_accuracy("validation"),
        task.majority_accuracy("test"),
        0.0,
        task.data.size("train") or 0,
        task.data.size("test"),
    )


def fit_all(task, deadline, seconds, log=print):
    """Fits scikit-learn's models to a task's flattened tokens.

    Each tries several settings, chosen by validation accuracy; the test split
    is read for the best alone. Integer tokens become indicators for logistic
    regression and categories for boosting; padding is zeros, or a token of
    its own.

    Args:
        task: a `Task`.
        deadline: a `Deadline`.
        seconds: float, what each model may take. When it is over, the best
            that was fitted by then counts.
        log: function that takes a line of text.

    Returns:
        Tuple of a list of `Baseline` and a list of `NotRun`.
    """
    answers = task.num_output_tokens * task.labels_per_token
    if answers > MOST_ANSWERS:
        reason = (
            f"It needs a model for each of an example's {answers:,} answers. "
            f"Those of at most {MOST_ANSWERS} are fitted."
        )
        return [], [
            NotRun(task.name, name, reason)
            for name in (LOGISTIC_REGRESSION, GRADIENT_BOOSTING)
        ]
    makers = {
        LOGISTIC_REGRESSION: (_logistic_regression, _C),
        GRADIENT_BOOSTING: (_gradient_boosting, _BOOSTING),
    }
    data, found, not_run = flattened(task), [], []
    for name, (make, settings) in makers.items():
        fitted = _fit_best(task, name, make, settings, data, deadline, seconds)
        if fitted is None:
            reason = (
                f"{seconds:.0f} s were too short to fit it once. Give a "
                "larger budget."
            )
            not_run.append(NotRun(task.name, name, reason))
            log(f"Not run: {name}: {reason}")
            continue
        found.append(fitted)
        log(
            f"{name}, {fitted.settings}: validation accuracy "
            f"{fitted.validation_accuracy:.2%}"
        )
    return found, not_run


def _fit_best(task, name, make, settings, data, deadline, seconds):
    """A `Baseline` with the best settings, or `None` if time was too short."""
    began, best = time.monotonic(), None
    try:
        with deadline.kept(most=seconds):
            for setting in settings:
                model = make(task, setting)
                with warnings.catch_warnings():
                    # Without a hundred iterations more it does as well.
                    warnings.simplefilter("ignore")
                    model.fit(*data["train"])
                accuracy = _accuracy(model, *data["validation"])
                if best is None or accuracy > best[0]:
                    best = accuracy, setting, model
    except OutOfTime:
        if best is None:
            return None
    accuracy, setting, model = best
    seconds = time.monotonic() - began
    return Baseline(
        task.name,
        name,
        ", ".join(f"{k.replace('_', ' ')} {v:g}" for k, v in setting.items()),
        _accuracy(model, *data["train"]),
        accuracy,
        _accuracy(model, *data["test"]),
        seconds,
        len(data["train"][0]),
        len(data["test"][0]),
    )


def _accuracy(model, x, y):
    return float(np.mean(np.asarray(model.predict(x)) == y))


def _logistic_regression(task, setting):
    from sklearn.linear_model import LogisticRegression
    from sklearn.multioutput import MultiOutputClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    prepare = (
        StandardScaler()
        if task.vocabulary_size is None
        else OneHotEncoder(handle_unknown="ignore")
    )
    model = LogisticRegression(max_iter=200, **setting)
    return MultiOutputClassifier(make_pipeline(prepare, model))


def _gradient_boosting(task, setting):
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.multioutput import MultiOutputClassifier

    # It takes no more categories than this.
    is_categorical = task.vocabulary_size and task.vocabulary_size < 255
    places = list(range(task.sequence_length))
    model = HistGradientBoostingClassifier(
        early_stopping=False,
        categorical_features=places if is_categorical else None,
        random_state=0,
        **setting,
    )
    return MultiOutputClassifier(model)


def flattened(task):
    """A task's splits as a row of numbers an example.

    Args:
        task: a `Task`.

    Returns:
        Dict from `train`, `validation` and `test` to tuples of an array
        `(n, sequence_length * dim)` and int labels `(n, answers)`. Of train,
        no more examples than have `MOST_VALUES` numbers.
    """
    width = task.sequence_length * (task.input_dim or 1)
    size = task.data.size("train") or GENERATED_EXAMPLES
    size = max(1, min(size, MOST_VALUES // width))
    held_out = {
        split: _rows(task, task.held_out(split, BATCH_SIZE))
        for split in ("validation", "test")
    }
    return {"train": _train_rows(task, size), **held_out}


def _train_rows(task, size):
    """So many training examples, as they are: none twice, none augmented."""
    if not isinstance(task.data, Stored):
        batches = task.datasets(BATCH_SIZE).train.take(-(-size // BATCH_SIZE))
        x, y = _rows(task, batches)
        return x[:size], y[:size]
    x, y, _ = task.data.splits["train"]
    places = np.random.default_rng(0).permutation(len(y))[:size]
    return _rows(task, task.data.in_order(x, places, BATCH_SIZE, y))


def _rows(task, batches):
    x, y = zip(*batches.as_numpy_iterator(), strict=True)
    x = np.concatenate([_flat(task, tokens) for tokens in x])
    y = np.concatenate(y)
    return x, y.reshape(len(y), -1)


def _flat(task, tokens):
    """A batch of tokens as rows; what is padding is a token of its own."""
    if isinstance(tokens, dict):
        tokens, mask = tokens["tokens"], tokens["padding_mask"].astype(bool)
    else:
        mask = np.ones(tokens.shape[:2], bool)
    is_float = task.vocabulary_size is None
    padding = 0 if is_float else task.vocabulary_size
    missing = task.sequence_length - tokens.shape[1]
    shape = (*mask.shape, *(1 for _ in tokens.shape[2:]))
    tokens = np.where(mask.reshape(shape), tokens, padding)
    widths = [(0, 0), (0, missing)] + [(0, 0)] * (tokens.ndim - 2)
    tokens = np.pad(tokens, widths, constant_values=padding)
    return tokens.reshape(len(tokens), -1)


def write(found, folder):
    """Keeps baselines beside a folder's runs."""
    records.write(found, pathlib.Path(folder, FILE))


def read(*folders):
    """The baselines in some folders, and in folders within them."""
    return records.read(Baseline, FILE, folders)
