"""Many tasks on one frozen backbone."""

from keras import ops

from keras_fpt.models import adapters
from keras_fpt.models.fpt_classifier import FPTClassifier
from keras_fpt.presets import load_backbone


class AdapterSet:
    """Adapters of several tasks, sharing one backbone in memory.

    A classifier owns its backbone, so each one would load its own. Here all
    share one: making another adapter active writes its few trained weights
    into the backbone, and reloads nothing. This is for inference; training
    wants a classifier of its own.

    Args:
        backbone: a KerasHub backbone, with the weights that the adapters were
            trained on. It must not be used for anything else.

    Example:

    ```python
    adapters = keras_fpt.AdapterSet.from_preset("gpt2_base_en")
    adapters.load("digits", "runs/digits-fpt-1/adapter.safetensors")
    adapters.load("bit_xor", "runs/bit_xor-fpt-1/adapter.safetensors")
    logits = adapters.activate("digits").predict(images)
    ```
    """

    def __init__(self, backbone):
        self.backbone = backbone
        self.active = None
        self._models = {}
        # By name: pairs of a variable of the backbone and its value.
        self._trained = {}
        self._original = {}

    @classmethod
    def from_preset(cls, preset, load_weights=True, seed=0, dtype=None):
        """An empty set on a preset's backbone.

        Args: as those of `FPTClassifier.from_preset`.
        """
        return cls(load_backbone(preset, load_weights, seed, dtype))

    @property
    def names(self):
        """The names of the adapters, in the order of loading."""
        return list(self._models)

    def load(self, name, path):
        """Loads an adapter file and makes it active.

        Args:
            name: string, what to call it. A name that is taken is replaced.
            path: a file that `FPTClassifier.save_adapter` wrote.

        Returns:
            The dict in the file's header.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is damaged, no adapter, or made for another
                backbone.
        """
        _, header = adapters.read(path)
        self._restore()
        model = FPTClassifier(self.backbone, **header["model"])
        of_backbone = {id(v) for v in self.backbone.weights}
        variables = [
            v for v in model.trainable_variables if id(v) in of_backbone
        ]
        original = _values(variables)
        model.load_adapter(path)
        self._models[name] = model
        self._original[name] = original
        self._trained[name] = _values(variables)
        self.active = name
        return header

    def activate(self, name):
        """Makes an adapter the active one.

        Args:
            name: string, the name it was loaded by.

        Returns:
            Its `FPTClassifier`, which is right until another adapter is made
            active.

        Raises:
            KeyError: no adapter of that name is loaded.
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

    def _restore(self):
        """Gives the backbone the weights back that it came with."""
        if self.active is not None:
            _assign(self._original[self.active])
            self.active = None


def _values(variables):
    return [(v, ops.convert_to_numpy(v).copy()) for v in variables]


def _assign(pairs):
    for variable, value in pairs:
        variable.assign(value)
