"""Adapters of several tasks on one frozen backbone."""

import os
from typing import Any, Self

from keras import ops

from keras_fpt.models import adapters
from keras_fpt.models.fpt_classifier import FPTClassifier
from keras_fpt.presets import Preset


class AdapterSet:
    """Adapters of several tasks that share one backbone in memory.

    A classifier owns its backbone, so several classifiers would each load
    their own. Here they share one: activating an adapter writes its few
    trained weights into the backbone and reloads nothing. The set is for
    inference; train in a separate classifier.

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
        self._models: dict[str, FPTClassifier] = {}
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
            ValueError: the file is damaged, not an adapter, or was made for
                another backbone.
        """
        _, header = adapters.read(path)
        self._restore()
        model = FPTClassifier(self.backbone, **header["model"])
        in_backbone = {id(v) for v in self.backbone.weights}
        variables = [
            v for v in model.trainable_variables if id(v) in in_backbone
        ]
        original = _values(variables)
        model.load_adapter(path)
        self._models[name] = model
        self._original[name] = original
        self._trained[name] = _values(variables)
        self.active = name
        return header

    def activate(self, name: str) -> FPTClassifier:
        """Makes an adapter the active one.

        Args:
            name: string, the name under which it was loaded.

        Returns:
            Its `FPTClassifier`, which is valid until another adapter is
            activated.

        Raises:
            KeyError: no adapter is loaded under that name.
        """
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

    def _restore(self) -> None:
        """Restores the original weights of the backbone."""
        if self.active is not None:
            _assign(self._original[self.active])
            self.active = None


def _values(variables: list[Any]) -> list[tuple[Any, Any]]:
    return [(v, ops.convert_to_numpy(v).copy()) for v in variables]


def _assign(pairs: list[tuple[Any, Any]]) -> None:
    for variable, value in pairs:
        variable.assign(value)
