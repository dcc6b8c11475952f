"""Parses the names of presets, and loads their backbones."""

import dataclasses
import os
import pathlib
from typing import TYPE_CHECKING, Any, Literal

from keras_fpt.presets import packaged

if TYPE_CHECKING:
    from keras_fpt import random_weights

GGUF_SCHEME = "gguf:"
HUB_SCHEMES = ("hf://", "kaggle://", "modelscope://")

Kind = Literal["packaged", "keras_hub", "hub", "local", "gguf"]


@dataclasses.dataclass(frozen=True)
class Preset:
    """A pretrained backbone, by name or path. See `Preset.parse`.

    Args:
        text: string, which names the preset from any working directory: an
            absolute path for a file or folder that exists, and otherwise what
            was parsed.
        kind: string. `"packaged"`, `"keras_hub"` (any other name), `"hub"`
            (a URL of a model hub), `"local"` (a folder) or `"gguf"`.
        location: string, where the weights are: the folder of a packaged
            preset, and otherwise what was parsed, with `~` expanded.

    Example:

    ```python
    preset = keras_fpt.presets.Preset.parse("hf://google-bert/bert-base-cased")
    preset.kind  # "hub"
    preset.name  # "bert-base-cased"
    backbone = preset.load_backbone()
    ```
    """

    text: str
    kind: Kind
    location: str

    @classmethod
    def parse(cls, text: "str | os.PathLike[str] | Preset") -> "Preset":
        """Parses the name or path of a preset, without loading it.

        Args:
            text: string or path. A packaged name (`keras_fpt.presets.names()`),
                a KerasHub name, `"hf://..."`, `"kaggle://..."`,
                `"modelscope://..."`, a KerasHub or Hugging Face folder, or
                `"gguf:FILE"`. Paths may be relative and may begin with `~`.

        Returns:
            A `Preset`. It is loaded later, and may not exist.

        >>> Preset.parse("gpt2_base_en")
        Preset(text='gpt2_base_en', kind='keras_hub', location='gpt2_base_en')
        """
        if isinstance(text, cls):
            return text
        text = str(text)
        if text in packaged.names():
            return cls(text, "packaged", packaged.path(text))
        if text.startswith(GGUF_SCHEME):
            file = os.path.expanduser(text.removeprefix(GGUF_SCHEME))
            absolute = pathlib.Path(file).absolute()
            return cls(f"{GGUF_SCHEME}{absolute}", "gguf", GGUF_SCHEME + file)
        path = os.path.expanduser(text)
        if os.path.exists(path):
            return cls(str(pathlib.Path(path).absolute()), "local", path)
        if text.startswith(HUB_SCHEMES):
            return cls(text, "hub", text)
        return cls(text, "local" if os.sep in text else "keras_hub", path)

    def __str__(self) -> str:
        return self.text

    @property
    def name(self) -> str:
        """A short name for display: the last part of the path or URL."""
        return self.text.rstrip("/").rpartition("/")[-1]

    def load_backbone(
        self,
        load_weights: bool = True,
        seed: "int | random_weights.Draw" = 0,
        dtype: Any = None,
    ) -> Any:
        """Loads the KerasHub backbone.

        Args:
            load_weights: bool. `False` draws random weights instead; see
                `keras_fpt.random_weights`.
            seed: int, of the random weights, or a `Draw` with more settings.
            dtype: Keras dtype or policy of the backbone; `None` is the global
                one.

        Returns:
            A KerasHub backbone.

        Raises:
            FileNotFoundError: a local folder lacks a file, or the GGUF file
                does not exist.
            ValueError: the name is unknown, the folder is damaged or names
                files outside of it, or the hub cannot be reached.
            MemoryError: there is not enough memory for its weights.
        """
        from keras_fpt import random_weights
        from keras_fpt.presets import gguf_files, keras_hub_presets

        if self.kind == "gguf":
            file = self.location.removeprefix(GGUF_SCHEME)
            backbone = gguf_files.load(file, load_weights, dtype)
        else:
            backbone = keras_hub_presets.load(self, load_weights, dtype)
        if not load_weights:
            random_weights.randomize(backbone, seed)
        return backbone

    def num_parameters(self) -> int:
        """About how many parameters the backbone has.

        KerasHub knows it for its own names. Any other preset is built for it,
        without its weights.

        Raises:
            FileNotFoundError, ValueError: as for `load_backbone`.
        """
        import keras_hub

        known = keras_hub.models.Backbone.presets.get(self.text)
        if known is not None:
            return known["metadata"]["params"]
        return self.load_backbone(load_weights=False).count_params()


def load_backbone(
    preset: str | os.PathLike[str] | Preset,
    load_weights: bool = True,
    seed: int = 0,
    dtype: Any = None,
) -> Any:
    """Loads a KerasHub backbone.

    Args:
        preset: string, path or `Preset`. See `Preset.parse`.
        load_weights: bool. `False` draws random weights instead; see
            `keras_fpt.random_weights`.
        seed: int, of the random weights.
        dtype: Keras dtype or policy of the backbone; `None` is the global
            one.

    Returns:
        A KerasHub backbone.

    Raises:
        FileNotFoundError, ValueError: see `Preset.load_backbone`.
    """
    return Preset.parse(preset).load_backbone(load_weights, seed, dtype)


def locate(preset: str | os.PathLike[str] | Preset) -> str:
    """The folder of a packaged preset; any other name or path unchanged."""
    return Preset.parse(preset).location
