"""On PyTorch, the keys of a Keras model's `state_dict` hold its name.

Where Keras has made the name, it counts the models of the process, so that
`load_state_dict` fails for the second of two models that are the same. Seen
with Keras 3.15.
"""

import re
from typing import Any

import keras

_FIRST_NAME = re.compile(r"(_torch_params\.)([^/]+)(/input/)")


def accept_other_names(model: Any) -> None:
    """Lets `load_state_dict` accept the weights of a model of another name.

    It does nothing on other backends than PyTorch.

    Args:
        model: an `FPTClassifier`, whose input layer is named `input`.
    """
    if keras.backend.backend() == "torch":
        model.register_load_state_dict_pre_hook(_rename)


def _rename(model: Any, state: dict[str, Any], prefix: str, *_: Any) -> None:
    matches = (_FIRST_NAME.search(key) for key in state)
    names = {match.group(2) for match in matches if match}
    if len(names) != 1 or names == {model.name}:
        return
    old = f"_torch_params.{names.pop()}/"
    for key in [key for key in state if key.startswith(prefix) and old in key]:
        new = key.replace(old, f"_torch_params.{model.name}/")
        state[new] = state.pop(key)
