"""The configuration of a run, as a user writes it."""

import dataclasses
import json
import os
from typing import Any, Self

from keras_fpt import files, options, tasks
from keras_fpt.files import json_files
from keras_fpt.models import ModelOptions
from keras_fpt.options import option

MODEL_OPTIONS = options.names(ModelOptions, python_only=False)
# Options of tasks that only check the data. They change neither it nor a run,
# so they are not kept, and a run may resume with others.
CHECKS = ("strict",)


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """The configuration of a run; options that are not given have defaults.

    `keras_fpt.runs.resolve` fills the defaults in. To add an option of
    training, add a field here, with `since=` the version that adds it, and its
    use in `model.py` or `training.py`; an option of the model is a field of
    `ModelOptions`.

    Args:
        task: string, a name or path that `keras_fpt.tasks.get` takes.
        preset: string, a name or path that `from_preset` takes. `None` means
            the arm's own.
        arm: string, a key of `keras_fpt.runs.arms.ARMS`.
        model: a `ModelOptions`.
        cache_features: bool, whether the frozen features are computed once,
            and not in each epoch. It needs a policy that trains only the
            output layer, no dropout, and examples that do not change.
        gradient_accumulation_steps: int, at least 2: the mean gradient of this
            many batches makes one update. `None` updates after each batch.
        steps: int, gradient steps. `None` means the task's recipe, also for
            the two arguments below.
        batch_size: int.
        learning_rate: float, Adam learning rate.
        seed: int, seed of the new layers, the random arm's weights, the order
            of the training data, and dropout.
        init_scale: float, for arms whose weights are drawn at random, a factor
            for their standard deviation; see `keras_fpt.random_weights.Draw`.
        random_init: string, how such weights are drawn; see `Draw`. `None` is
            `"gpt2"`.
        recipe: string, a key of `keras_fpt.runs.recipes.RECIPES`, which holds
            defaults of other options. `None` is this package's own recipe.
        train_examples: int, how many of the training examples are used; see
            `keras_fpt.tasks.with_train_examples`. `None` uses all of them.
        class_weight: string, `"balanced"`, which weights each class by the
            inverse of its share of train, or `None`.
        loss: string, the loss of a regression, `"mse"` or `"huber"`. `None` is
            `"mse"`, or with quantiles the pinball loss.
        quantiles: string, the quantiles that a regression or a forecast
            predicts, such as `"0.1,0.5,0.9"`. `None` predicts one number.
        patience: int, the number of evaluations in a row without a lower
            validation loss after which training stops; 0 trains all steps.
            `None` is 5 on the user's own data, and 0 elsewhere, with a recipe
            and in studies, whose runs are all trained in the same way.
        keep: string, `"best"` or `"last"`: which weights the run keeps, those
            of the evaluation with the lowest validation loss or the last.
            `None` likewise.
        data_dir: string, folder of the task's data; see `keras_fpt.tasks.get`.
        options: dict, options of the task itself; see `keras_fpt.tasks.get`.
        source: string, path of the user's own data, of which `task` is then
            only the name; `None` for the package's tasks.

    Example:

    ```python
    config = RunConfig("digits", arm="random", steps=100)
    config = config.with_settings(depth=2, learning_rate=3e-4)
    ```
    """

    task: str
    preset: str | None = option(
        None,
        "Preset of the backbone, with its weights: a name, a folder, hf://... "
        "or gguf:FILE.",
        topic="Model",
        default_text="the arm's default, usually gpt2_tiny_en",
        describes_run=True,
    )
    arm: str = option(
        "fpt",
        "Where the weights come from, and what is trained: fpt, random, "
        "statistics, permuted, spectrum, bit, vit, finetune, full, no_blocks, "
        "one_attention, one_block, lstm, random_lstm or random_lstm_deep.",
        topic="Model",
    )
    model: ModelOptions = ModelOptions()
    cache_features: bool = option(
        False,
        "Compute the frozen features only once; for policies that train only "
        "the output layer, with dropout 0.",
        topic="Rarely needed",
    )
    gradient_accumulation_steps: int | None = option(
        None,
        "Accumulate gradients over this many batches, at least 2, before "
        "each update.",
        topic="Rarely needed",
        default_text="off",
    )
    steps: int | None = option(
        None,
        "Number of gradient steps.",
        topic="Training",
        default_text="the task's default",
    )
    batch_size: int | None = option(
        None, "Batch size.", topic="Training", default_text="the task's default"
    )
    learning_rate: float | None = option(
        None,
        "Adam learning rate.",
        topic="Training",
        default_text="the task's default",
    )
    seed: int = option(
        0,
        "Random seed of new layers, random weights, data order and dropout.",
        topic="Training",
    )
    init_scale: float = option(
        1.0,
        "Factor for the standard deviation of random weights, of arms such as "
        "random, full and lstm.",
        topic="Rarely needed",
        describes_run=True,
        since="0.2.0",
    )
    random_init: str | None = option(
        None,
        "Initializer of random weights: gpt2; flat, which does not scale "
        "residual projections down, as in transformers 4.1.1; or uniform.",
        topic="Rarely needed",
        default_text="gpt2",
        describes_run=True,
        since="0.2.0",
    )
    recipe: str | None = option(
        None,
        "Defaults of other options, including the task's encoding: reference "
        "follows the reference code of Lu et al.",
        topic="Rarely needed",
        default_text="this package's recipe",
        describes_run=True,
        since="0.2.0",
    )
    train_examples: int | None = option(
        None,
        "Use only this many training examples; each class keeps its share.",
        topic="Training",
        default_text="all",
        describes_run=True,
        since="0.2.0",
    )
    class_weight: str | None = option(
        None,
        "Class weights in the loss: balanced gives a rare class as much weight "
        "as a common one.",
        topic="Training",
        default_text="equal weights",
        describes_run=True,
        since="0.2.0",
    )
    loss: str | None = option(
        None,
        "Loss of a regression: mse, the mean squared error, or huber, which is "
        "less sensitive to outliers.",
        topic="Training",
        default_text="mse",
        describes_run=True,
        since="0.2.0",
    )
    quantiles: str | None = option(
        None,
        "Quantiles that a regression or a forecast predicts, such as "
        "0.1,0.5,0.9, with the pinball loss.",
        topic="Training",
        default_text="one number",
        describes_run=True,
        since="0.2.0",
    )
    patience: int | None = option(
        None,
        "Stop after this many evaluations in a row (there are about 20 in a "
        "run) without a lower validation loss; 0 trains all steps.",
        topic="Training",
        default_text="0; 5 for `train` on your own data",
        since="0.2.0",
        former=0,
    )
    keep: str | None = option(
        None,
        "Weights to keep: best (lowest validation loss) or last.",
        topic="Training",
        default_text="last; best for `train` on your own data",
        since="0.2.0",
        former="last",
    )
    evaluation_steps: int | None = option(
        None,
        "Evaluate on validation each time after this many steps.",
        topic="Training",
        default_text="a twentieth of the steps, and at least 25",
        since="0.2.0",
    )
    evaluation_batch_size: int | None = option(
        None,
        "Examples per batch where the model is evaluated, which takes less "
        "memory than training.",
        topic="Training",
        default_text="the batch size",
        since="0.2.0",
    )
    data_dir: str | None = option(
        None,
        "Folder of the task's data.",
        topic="Data",
        default_text="the task's default",
    )
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    source: str | None = None

    def with_settings(self, **settings: Any) -> Self:
        """A copy with other values for some options, including the model's.

        Args:
            **settings: values by the names of fields of `RunConfig` and of
                `ModelOptions`.

        >>> RunConfig("digits").with_settings(depth=2, steps=9).model.depth
        2
        """
        model = {k: v for k, v in settings.items() if k in MODEL_OPTIONS}
        others = {k: v for k, v in settings.items() if k not in model}
        return dataclasses.replace(
            self, model=dataclasses.replace(self.model, **model), **others
        )

    def with_absolute_paths(self) -> Self:
        """A copy that names the same files from every working directory."""
        changed: dict[str, Any] = {}
        if self.data_dir is not None:
            changed["data_dir"] = os.path.abspath(self.data_dir)
        if self.source is None and files.looks_like_path(self.task):
            changed["source"] = os.path.realpath(self.task)
        paths = tasks.PATH_OPTIONS & self.options.keys()
        if paths:
            absolute = {k: os.path.abspath(self.options[k]) for k in paths}
            changed["options"] = self.options | absolute
        return dataclasses.replace(self, **changed)

    def settings(self) -> dict[str, Any]:
        """All options in one flat dict, as in `config.json`."""
        flat: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            if field.name == "model":
                flat |= {k: getattr(self.model, k) for k in MODEL_OPTIONS}
            else:
                flat[field.name] = getattr(self, field.name)
        flat["options"] = without_checks(self.options)
        return flat

    def identity(self) -> dict[str, Any]:
        """The settings that distinguish this run from others, in every version.

        Options that the first version lacks are left out at their defaults, so
        that the names of its runs and studies stay what they are.
        """
        later = options.later(self) | options.later(self.model)
        former = options.former(self)
        return {
            name: value
            for name, value in self.settings().items()
            if name not in later
            or value not in (later[name], former.get(name, later[name]))
        }

    def with_former_defaults(self) -> Self:
        """A copy with an early version's values of options that it lacks."""
        return dataclasses.replace(
            self,
            **{
                name: value
                for name, value in options.former(self).items()
                if getattr(self, name) is None
            },
        )

    def to_json(self) -> str:
        """The configuration as JSON text."""
        return json.dumps(self.settings(), indent=2) + "\n"

    @classmethod
    def from_settings(cls, settings: dict[str, Any], where: str) -> Self:
        """The configuration from a flat dict, as `settings` returns it.

        Args:
            settings: dict, which may come from an untrusted file.
            where: string, the beginning of error messages.

        Raises:
            ValueError: an option is unknown, missing or of another type.
        """
        if "model" in settings:
            raise ValueError(f"{where}: unknown field 'model'.")
        model = {k: v for k, v in settings.items() if k in MODEL_OPTIONS}
        entry = {k: v for k, v in settings.items() if k not in MODEL_OPTIONS}
        entry["model"] = json_files.from_dict(ModelOptions, model, where)
        return json_files.from_dict(cls, entry, where)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Reads a file that contains the text of `to_json`.

        Raises:
            FileNotFoundError: the file does not exist.
            ValueError: it is not a run's configuration.
        """
        where = f"This is not a run's configuration: `{path}`"
        settings = options.former(cls) | json_files.read_object(path)
        return cls.from_settings(settings, where)


def without_checks(task_options: dict[str, Any]) -> dict[str, Any]:
    """The options of a task that decide what its data is."""
    return {k: v for k, v in task_options.items() if k not in CHECKS}
