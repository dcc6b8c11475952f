"""Arms: where a backbone's weights come from, and what trains."""

import dataclasses
from collections.abc import Callable

from keras_fpt import random_weights
from keras_fpt.presets import load_backbone


@dataclasses.dataclass(frozen=True)
class Arm:
    """One side of a comparison.

    Args:
        make_backbone: function of a resolved `RunConfig` and its `Task` that
            returns a KerasHub backbone.
        policy: string, what trains unless a run says otherwise.
        description: string, one line.
        preset: string, the preset unless a run says otherwise.
        learned_positions: bool, whether the input always gets learned
            positions, as long as the task's sequences.
    """

    make_backbone: Callable
    policy: str
    description: str
    preset: str = "gpt2_tiny_en"
    learned_positions: bool = False


def _pretrained(config, task):
    return load_backbone(config.preset, dtype=config.dtype)


def _random(config, task):
    return load_backbone(
        config.preset, load_weights=False, seed=config.seed, dtype=config.dtype
    )


def _statistics(config, task):
    backbone = _pretrained(config, task)
    random_weights.match_statistics(backbone, config.seed)
    return backbone


def _bit(config, task):
    from keras_fpt.pretraining import bit_memory

    return load_backbone(
        bit_memory.cached_preset(config.preset), dtype=config.dtype
    )


def _vit(config, task):
    import keras_hub

    backbone = _pretrained(config, task)
    if not isinstance(backbone, keras_hub.models.ViTBackbone):
        raise ValueError(
            f"The arm 'vit' needs a ViT, but the preset '{config.preset}' is "
            f"a {type(backbone).__name__}. Give --preset {ARMS['vit'].preset} "
            "or another ViT of KerasHub."
        )
    return backbone


def _lstm(num_layers=3, deep=False):
    def make_backbone(config, task):
        from keras_fpt.models import LSTMBackbone

        backbone = LSTMBackbone(
            num_layers=num_layers,
            # Without the weights, which nothing is taken from.
            hidden_dim=load_backbone(
                config.preset, load_weights=False
            ).hidden_dim,
            residual=deep,
            max_sequence_length=task.sequence_length if deep else None,
            dtype=config.dtype,
        )
        random_weights.randomize(backbone, config.seed)
        return backbone

    return make_backbone


ARMS = {
    "fpt": Arm(_pretrained, "fpt", "pretrained on language, frozen"),
    "random": Arm(_random, "fpt", "never pretrained, frozen"),
    "statistics": Arm(
        _statistics,
        "fpt",
        "drawn anew with each pretrained tensor's mean and deviation, frozen",
    ),
    "bit": Arm(_bit, "fpt", "pretrained on bit memory, frozen"),
    "vit": Arm(
        _vit,
        "fpt",
        "a ViT pretrained on images, frozen",
        preset="vit_base_patch16_224_imagenet",
        learned_positions=True,
    ),
    "finetune": Arm(_pretrained, "full", "pretrained on language, all trained"),
    "full": Arm(_random, "full", "never pretrained, all trained"),
    "lstm": Arm(_lstm(), "full", "an LSTM of 3 layers, all trained"),
    "random_lstm": Arm(
        _lstm(), "fpt", "an LSTM of 3 layers, its recurrent core frozen"
    ),
    "random_lstm_deep": Arm(
        _lstm(num_layers=12, deep=True),
        "fpt",
        "an LSTM of 12 residual layers with positions, its core frozen",
    ),
}


def get(name):
    """An arm by its name, in which `-` and `_` are the same.

    Raises:
        ValueError: there is no such arm.
    """
    known = name.replace("-", "_")
    if known not in ARMS:
        raise ValueError(
            f"Unknown arm '{name}'. Expected one of {', '.join(ARMS)}."
        )
    return ARMS[known]
