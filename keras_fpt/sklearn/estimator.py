"""The base class of the scikit-learn estimators."""

import dataclasses
import json
import os
import pathlib
from typing import Any, ClassVar, Self

import keras
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from keras_fpt import files, models, tasks
from keras_fpt.files import json_files
from keras_fpt.sklearn import examples
from keras_fpt.tasks import sequences

_ADAPTER, _ESTIMATOR = "adapter.safetensors", "estimator.json"
# How often early stopping evaluates in a whole training, as runs do.
_EVALUATIONS = 20
# Those parameters that are options of the model.
MODEL_OPTIONS = (
    "policy",
    "depth",
    "readout",
    "dropout",
    "input_dropout",
    "lora_rank",
    "patch_size",
    "patch_stride",
    "instance_norm",
    "channel_independent",
    "output_norm",
)


@dataclasses.dataclass(eq=False, repr=False, kw_only=True)
class FPTEstimator(BaseEstimator):
    """The base class of the estimators; use one of its subclasses.

    Their constructors come from these fields, in the form that scikit-learn
    asks for. Numbers are standardized with the mean and the standard deviation
    of the training examples: each column of a table, or each channel of
    sequences.

    Args:
        preset: string, as for `keras_fpt.FPTClassifier.from_preset`.
        load_weights: bool; `False` draws random weights, the control.
        policy, depth, readout, dropout, input_dropout, lora_rank, patch_size,
            patch_stride, instance_norm, channel_independent, output_norm: as
            in `keras_fpt.models.ModelOptions`.
        steps: int, training steps.
        batch_size: int, examples per step.
        learning_rate: float, Adam's learning rate.
        early_stopping: bool, whether a part of the training examples is held
            out, training ends when the loss on it does not fall any more, and
            the weights with the lowest loss are kept.
        validation_fraction: float, that part.
        patience: int, how many evaluations in a row may show no lower loss;
            there are 20 in a whole training.
        random_state: int, `numpy.random.RandomState` or `None`.
    """

    preset: str = dataclasses.field(default="gpt2_tiny_en", kw_only=False)
    load_weights: bool = True
    policy: str = "fpt"
    depth: int | None = None
    readout: str = "last"
    dropout: float = 0.1
    input_dropout: float | None = None
    lora_rank: int = 8
    patch_size: int | None = None
    patch_stride: int | None = None
    instance_norm: bool = False
    channel_independent: str | None = None
    output_norm: str | None = None
    steps: int = 1000
    batch_size: int = 64
    learning_rate: float = 1e-3
    early_stopping: bool = False
    validation_fraction: float = 0.1
    patience: int = 5
    random_state: Any = None

    # Attributes of a fitted estimator that `save` writes.
    _fitted: ClassVar[tuple[str, ...]] = (
        "mean_",
        "scale_",
        "n_features_in_",
        "rank_",
    )

    def save(self, folder: str | os.PathLike) -> None:
        """Saves the fitted estimator as plain files, without a pickle.

        The frozen weights are not saved: `load` takes them from the preset.

        Args:
            folder: path; it is made if it does not exist.
        """
        check_is_fitted(self, "model_")
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.model_.save_adapter(folder / _ADAPTER)
        fitted = {
            name: np.asarray(getattr(self, name)) for name in self._fitted
        }
        entry = {
            "parameters": self.get_params(),
            "fitted": {name: value.tolist() for name, value in fitted.items()},
        }
        files.write_text(folder / _ESTIMATOR, json.dumps(entry, indent=2))

    @classmethod
    def load(cls, folder: str | os.PathLike) -> Self:
        """Loads what `save` wrote.

        Raises:
            FileNotFoundError: there is no such estimator.
            ValueError: a file is damaged or of another estimator, or the
                preset has other weights.
        """
        folder = pathlib.Path(folder)
        entry = json_files.read_object(folder / _ESTIMATOR)
        if not {*cls._fitted} <= {*entry.get("fitted", ())}:
            raise ValueError(
                f"`{folder / _ESTIMATOR}` is damaged, or not of a "
                f"{cls.__name__}."
            )
        self = cls(**entry["parameters"])
        for name in cls._fitted:
            setattr(self, name, np.asarray(entry["fitted"][name])[()])
        self.model_ = self._new_model()
        self.model_.load_adapter(folder / _ADAPTER)
        return self

    def _new_model(self) -> Any:
        raise NotImplementedError

    def _make(self, model_class: Any, **shape: Any) -> Any:
        """A new model of a class, with this estimator's options."""
        return model_class.from_preset(
            self.preset,
            load_weights=self.load_weights,
            input_dim=1 if self.rank_ == 2 else int(self.n_features_in_),
            **{name: getattr(self, name) for name in MODEL_OPTIONS},
            **shape,
        )

    def _check_fit(self, X: Any, y: Any, **checks: Any) -> tuple[Any, Any]:
        if examples.is_of_sequences(X):
            x, self.rank_ = examples.stack(X), 3
            self.n_features_in_ = x.shape[-1]
            y = np.asarray(y)
        else:
            x, y = validate_data(self, X, y, dtype=np.float64, **checks)
            self.rank_ = 2
        if len(y) != x.shape[0]:
            raise ValueError(
                f"Expected as many labels as examples but received {len(y):,} "
                f"and {x.shape[0]:,}."
            )
        return x, y

    def _check_new(self, X: Any) -> Any:
        check_is_fitted(self, "model_")
        if self.rank_ == 2:
            return validate_data(self, X, dtype=np.float64, reset=False)
        x = examples.stack(X)
        if x.shape[-1] != self.n_features_in_:
            raise ValueError(
                f"Expected sequences of {self.n_features_in_} channels but "
                f"received {x.shape[-1]}."
            )
        return x

    def _train(
        self, x: Any, y: np.ndarray, stratify: Any, **arguments: Any
    ) -> None:
        """Makes the model and trains it."""
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        steps, epochs = self.steps, 1
        if self.early_stopping:
            kept, held_out = train_test_split(
                np.arange(len(y)),
                test_size=self.validation_fraction,
                random_state=seed,
                stratify=stratify,
            )
            held_x, held_y = sequences.select(x, held_out), y[held_out]
            x, y = sequences.select(x, kept), y[kept]
            steps = max(1, self.steps // _EVALUATIONS)
            epochs = self.steps // steps
        self.mean_, self.scale_ = examples.statistics(x)
        keras.utils.set_random_seed(seed)
        self.model_ = self._new_model()
        data = tasks.Stored(
            lambda: {"train": tasks.Examples(self._tokens(x), y)}
        )
        self._compile(y)
        if self.early_stopping:
            arguments["validation_data"] = tasks.Stored(dict).in_order(
                self._tokens(held_x),
                np.arange(len(held_y)),
                self.batch_size,
                held_y,
            )
            arguments["callbacks"] = [
                keras.callbacks.EarlyStopping(
                    patience=self.patience, restore_best_weights=True
                )
            ]
        history = self.model_.fit(
            data.train(min(self.batch_size, len(y)), seed, 0),
            steps_per_epoch=steps,
            epochs=epochs,
            verbose=0,
            **arguments,
        )
        self.n_steps_ = steps * len(history.epoch)

    def _compile(self, y: np.ndarray) -> None:
        optimizer = models.paper_optimizer(self.learning_rate)
        self.model_.compile(optimizer=optimizer)

    def _answers(self, X: Any) -> np.ndarray:
        """The model's outputs for examples, in their order."""
        x = self._tokens(self._check_new(X))
        order = np.argsort(sequences.lengths(x), kind="stable")
        batches = tasks.Stored(dict).in_order(x, order, self.batch_size)
        sorted_answers = self.model_.predict(batches, verbose=0)
        answers = np.empty_like(sorted_answers)
        answers[order] = sorted_answers
        return answers

    def _tokens(self, x: Any) -> Any:
        x = sequences.standardized(x, self.mean_, self.scale_)
        return x[:, :, None] if self.rank_ == 2 else x
