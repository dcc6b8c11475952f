"""Arms: where a backbone's weights come from, and which of them are trained."""

import dataclasses
from collections.abc import Callable
from typing import Any

from keras_fpt import backbones, random_weights
from keras_fpt.presets import Preset
from keras_fpt.random_weights import Draw
from keras_fpt.tasks import Task

# Makes a backbone from a preset, a task, how random weights are drawn, and a
# dtype policy or `None`.
MakeBackbone = Callable[[Preset, Task, Draw, str | None], Any]


@dataclasses.dataclass(frozen=True)
class Arm:
    """One side of a comparison.

    Args:
        name: string.
        make_backbone: function of a `Preset`, a `Task`, a `Draw` and a dtype
            policy (or `None`) that returns a KerasHub backbone.
        policy: string, the policy unless a run sets another.
        description: string, one line.
        preset: string, the preset unless a run sets another.
        depth: int, the number of blocks unless a run sets another; `None` uses
            all of the preset's.
        learned_positions: bool, whether the input always gets learned
            positions, as many as the task's longest sequence has tokens.
        draws_weights: bool, whether the weights follow from the run's seed.
        takes_init: bool, whether they also follow from the run's `init_scale`
            and `random_init`.
        is_lstm: bool.
    """

    name: str
    make_backbone: MakeBackbone
    policy: str
    description: str
    preset: str = "gpt2_tiny_en"
    depth: int | None = None
    learned_positions: bool = False
    draws_weights: bool = False
    takes_init: bool = False
    is_lstm: bool = False


def _pretrained(
    preset: Preset, task: Task, draw: Draw, dtype: str | None
) -> Any:
    return preset.load_backbone(dtype=dtype)


def _random(preset: Preset, task: Task, draw: Draw, dtype: str | None) -> Any:
    return preset.load_backbone(load_weights=False, seed=draw, dtype=dtype)


def _changed(change: Callable[[Any, int], None]) -> MakeBackbone:
    """Pretrained weights, changed by a function that keeps some property."""

    def make_backbone(
        preset: Preset, task: Task, draw: Draw, dtype: str | None
    ) -> Any:
        backbone = _pretrained(preset, task, draw, dtype)
        change(backbone, draw.seed)
        return backbone

    return make_backbone


def _bit(preset: Preset, task: Task, draw: Draw, dtype: str | None) -> Any:
    from keras_fpt.pretraining import bit_memory

    pretrained = Preset.parse(bit_memory.cached_preset(preset.text))
    return pretrained.load_backbone(dtype=dtype)


def _vit(preset: Preset, task: Task, draw: Draw, dtype: str | None) -> Any:
    import keras_hub

    backbone = _pretrained(preset, task, draw, dtype)
    if not isinstance(backbone, keras_hub.models.ViTBackbone):
        raise ValueError(
            "The arm 'vit' needs a ViT, but the preset "
            f"'{preset.text}' is a {type(backbone).__name__}. Give "
            f"--preset {ARMS['vit'].preset} or another ViT of KerasHub."
        )
    return backbone


def _lstm(num_layers: int = 3, deep: bool = False) -> MakeBackbone:
    def make_backbone(
        preset: Preset, task: Task, draw: Draw, dtype: str | None
    ) -> Any:
        from keras_fpt.models import LSTMBackbone

        # Only the preset's width is used, not its weights.
        width = preset.load_backbone(load_weights=False).hidden_dim
        backbone = LSTMBackbone(
            num_layers=num_layers,
            hidden_dim=width,
            residual=deep,
            max_sequence_length=task.sequence_length if deep else None,
            random_states=draw.style == "uniform",
            dtype=dtype,
        )
        random_weights.randomize(backbone, draw)
        return backbone

    return make_backbone


def _attention(
    preset: Preset, task: Task, draw: Draw, dtype: str | None
) -> Any:
    from keras_fpt.models import AttentionBackbone

    # Only the preset's sizes are used, not its weights.
    sizes = preset.load_backbone(load_weights=False)
    backbone = AttentionBackbone(
        hidden_dim=sizes.hidden_dim,
        num_heads=backbones.num_heads(sizes),
        max_sequence_length=task.sequence_length,
        dtype=dtype,
    )
    random_weights.randomize(backbone, draw)
    return backbone


ARMS = {
    arm.name: arm
    for arm in (
        Arm("fpt", _pretrained, "fpt", "pretrained on language, frozen"),
        Arm(
            "random",
            _random,
            "fpt",
            "never pretrained, frozen",
            draws_weights=True,
            takes_init=True,
        ),
        Arm(
            "statistics",
            _changed(random_weights.match_statistics),
            "fpt",
            "drawn at random with each pretrained tensor's mean and standard "
            "deviation, frozen",
            draws_weights=True,
        ),
        Arm(
            "permuted",
            _changed(random_weights.permute),
            "fpt",
            "each pretrained tensor's entries shuffled, frozen",
            draws_weights=True,
        ),
        Arm(
            "spectrum",
            _changed(random_weights.keep_spectrum),
            "fpt",
            "each pretrained matrix's singular values with random singular "
            "vectors, frozen",
            draws_weights=True,
        ),
        Arm("bit", _bit, "fpt", "pretrained on bit memory, frozen"),
        Arm(
            "vit",
            _vit,
            "fpt",
            "a ViT pretrained on images, frozen",
            preset="vit_base_patch16_224_imagenet",
            learned_positions=True,
        ),
        Arm(
            "finetune",
            _pretrained,
            "full",
            "pretrained on language, all trained",
        ),
        Arm(
            "full",
            _random,
            "full",
            "never pretrained, all trained",
            draws_weights=True,
            takes_init=True,
        ),
        # Source of these three: Tan et al., 2024, arXiv 2406.16964.
        Arm(
            "no_blocks",
            _random,
            "full",
            "no blocks at all: input, positions, final norm and output, all "
            "trained",
            depth=0,
            draws_weights=True,
            takes_init=True,
        ),
        Arm(
            "one_attention",
            _attention,
            "full",
            "one layer of attention, never pretrained, all trained",
            draws_weights=True,
            takes_init=True,
        ),
        Arm(
            "one_block",
            _random,
            "full",
            "one block, never pretrained, all trained",
            depth=1,
            draws_weights=True,
            takes_init=True,
        ),
        Arm(
            "lstm",
            _lstm(),
            "full",
            "an LSTM of 3 layers, all trained",
            draws_weights=True,
            takes_init=True,
            is_lstm=True,
        ),
        Arm(
            "random_lstm",
            _lstm(),
            "fpt",
            "an LSTM of 3 layers with a frozen recurrent core",
            draws_weights=True,
            takes_init=True,
            is_lstm=True,
        ),
        Arm(
            "random_lstm_deep",
            _lstm(num_layers=12, deep=True),
            "fpt",
            "an LSTM of 12 residual layers with positions and a frozen "
            "recurrent core",
            draws_weights=True,
            takes_init=True,
            is_lstm=True,
        ),
    )
}


# The settings of a run that only arms with `takes_init` have.
INIT_SETTINGS = ("init_scale", "random_init")


def get(name: str) -> Arm:
    """An arm by its name, in which `-` and `_` are the same.

    Raises:
        ValueError: the name is unknown.
    """
    key = name.replace("-", "_")
    if key not in ARMS:
        raise ValueError(
            f"Unknown arm '{name}'. Expected one of {', '.join(ARMS)}."
        )
    return ARMS[key]
