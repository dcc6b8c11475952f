"""Adapters of several tasks on one frozen backbone."""

import functools
import os
import threading
from collections.abc import Callable
from typing import Any, Self

from keras import ops

from keras_fpt import freezing
from keras_fpt.compat import jax_lost_state
from keras_fpt.models import adapters, model_settings, quantization, rebuilding
from keras_fpt.models.fpt_model import FPTModel
from keras_fpt.models.heads import HEADS
from keras_fpt.presets import Preset

# The methods of a model that read the backbone's weights.
_COMPUTING = (
    *("call", "predict", "predict_on_batch", "evaluate", "test_on_batch"),
    *("get_weights", "save", "save_weights", "save_adapter", "save_to_preset"),
    *("export", "embed", "read_states", "answers"),
    *("attention_scores", "frozen_features"),
)
# The methods that would change what the adapters share.
_CHANGING = (
    *("fit", "train_on_batch", "load_adapter", "set_policy", "quantize"),
    "adapt",
)


class AdapterSet:
    """Adapters of several tasks that share one backbone in memory.

    A classifier owns its backbone, so several classifiers would each load
    their own. Here they share one: activating an adapter writes its few
    trained weights into the backbone and reloads nothing. The set is for
    inference; train in a separate classifier.

    Several threads may use a set: one computes at a time, with the adapter of
    the classifier that it calls.

    Args:
        backbone: a KerasHub backbone, with the weights that the adapters were
            trained on. Do not use it for anything else.

    Example:

    ```python
    adapters = keras_fpt.AdapterSet.from_preset("gpt2_base_en")
    adapters.load("digits", "runs/digits-fpt-1/adapter.safetensors")
    adapters.load("bit_xor", "runs/bit_xor-fpt-1/adapter.safetensors")
    logits = adapters.activate("digits").predict(images)
    ```
    """

    def __init__(self, backbone: Any) -> None:
        self.backbone = backbone
        self.active: str | None = None
        self._lock = threading.RLock()
        self._models: dict[str, FPTModel] = {}
        # By name: pairs of a variable of the backbone and its value.
        self._trained: dict[str, list[tuple[Any, Any]]] = {}
        self._original: dict[str, list[tuple[Any, Any]]] = {}

    @classmethod
    def from_preset(
        cls,
        preset: str | os.PathLike[str],
        load_weights: bool = True,
        seed: int = 0,
        dtype: Any = None,
    ) -> Self:
        """An empty set on a preset's backbone.

        Args:
            preset, load_weights, seed, dtype: see
                `FPTClassifier.from_preset`.
        """
        return cls(
            Preset.parse(preset).load_backbone(load_weights, seed, dtype)
        )

    @property
    def names(self) -> list[str]:
        """The names of the adapters, in the order in which they were loaded."""
        return list(self._models)

    def load(self, name: str, path: str | os.PathLike[str]) -> dict[str, Any]:
        """Loads an adapter file and activates it.

        Args:
            name: string, the adapter's name. It replaces an adapter that is
                loaded under the same name.
            path: a file that `FPTClassifier.save_adapter` wrote.

        Returns:
            The dict in the file's header.

        Raises:
            FileNotFoundError: the file does not exist.
            ValueError: the file is damaged, not complete, not an adapter, or
                was made for another backbone. The set is then as before.
        """
        _, header = adapters.read(path)
        with self._lock:
            return self._add(name, path, header)

    def _add(
        self, name: str, path: str | os.PathLike[str], header: dict[str, Any]
    ) -> dict[str, Any]:
        active = self.active
        self._restore()
        try:
            model, backbone = self._make_model(header, path)
            values, header = adapters.prepare(model, path)
        except BaseException:
            if active is not None:
                self.activate(active)
            raise
        self.backbone = backbone
        model.set_policy(header["model"]["policy"])
        in_backbone = {id(v) for v in backbone.weights}
        variables = [v for v, _ in values if id(v) in in_backbone]
        self._original[name] = _values(variables)
        _assign(values)
        self._trained[name] = _values(variables)
        self._models[name] = model
        self.active = name
        self._guard(model)
        return header

    def _make_model(
        self, header: dict[str, Any], path: str | os.PathLike[str]
    ) -> tuple[FPTModel, Any]:
        """A model with an adapter's settings, and the backbone that it uses.

        Low-rank weights are added later, once the adapter is known to fit.

        Raises:
            ValueError: the model would quantize weights that the adapters in
                the set use as they are.
        """
        head = model_settings.head_of(header, path)
        settings = model_settings.complete(header["model"], head)
        groups = freezing.parse_policy(settings["policy"]) - {"low_rank"}
        policy = "+".join(sorted(groups)) or "output_only"
        backbone, mode = self.backbone, settings["quantize"]
        if mode is not None and quantization.is_unquantized(backbone, policy):
            if self._models:
                raise ValueError(
                    f"The adapter `{path}` was trained on a backbone quantized "
                    f"as {mode}, which would change the outputs of the "
                    f"adapters in this set ({', '.join(self._models)}). Load "
                    "it into a separate AdapterSet."
                )
            # A refused adapter must not leave the set's backbone quantized.
            backbone = rebuilding.copy_of(backbone)
        rebuilding.release(backbone)  # The adapters use it one after another.
        cls: Any = HEADS[head]
        return cls(backbone, **{**settings, "policy": policy}), backbone

    def activate(self, name: str) -> FPTModel:
        """Makes an adapter the active one.

        Args:
            name: string, the name under which it was loaded.

        Returns:
            Its model, an `FPTClassifier` or an `FPTRegressor`. The model's
            methods activate the adapter again, if another one has been
            activated in the meantime.

        Raises:
            KeyError: no adapter is loaded under that name.
        """
        with self._lock:
            if name not in self._models:
                raise KeyError(
                    f"No adapter '{name}' is loaded. Loaded: "
                    f"{', '.join(self._models) or 'none'}."
                )
            if name != self.active:
                self._restore()
                _assign(self._trained[name])
                self.active = name
            return self._models[name]

    def _guard(self, model: FPTModel) -> None:
        """Lets a model compute only with its own adapter, one at a time."""
        jax_lost_state.use_lock(model, self._lock)
        for name in _COMPUTING:
            setattr(model, name, self._guarded(model, getattr(model, name)))
        for name in _CHANGING:
            if hasattr(model, name):
                setattr(model, name, _refuse)

    def _guarded(self, model: FPTModel, method: Callable) -> Callable:
        @functools.wraps(method)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                for name, other in self._models.items():
                    if other is model:
                        self.activate(name)
                        return method(*args, **kwargs)
            raise ValueError(
                "This classifier's adapter was replaced by another one of the "
                "same name. Activate that name again."
            )

        return guarded

    def _restore(self) -> None:
        """Restores the original weights of the backbone."""
        if self.active is not None:
            _assign(self._original[self.active])
            self.active = None


def _refuse(*args: Any, **kwargs: Any) -> None:
    raise ValueError(
        "An AdapterSet is for inference: its classifiers share one backbone. "
        "Change or train a separate classifier, from FPTClassifier."
        "from_preset."
    )


def _values(variables: list[Any]) -> list[tuple[Any, Any]]:
    return [(v, ops.convert_to_numpy(v).copy()) for v in variables]


def _assign(pairs: list[tuple[Any, Any]]) -> None:
    for variable, value in pairs:
        variable.assign(value)
