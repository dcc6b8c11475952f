"""Llama's config does not say whether the embeddings are tied.

The fault: `LlamaBackbone.get_config` of KerasHub 0.32 leaves out
`tie_word_embeddings`. A Llama with tied embeddings, such as SmolLM2, can
therefore neither be rebuilt from its config nor be loaded from a preset that
KerasHub saved.

Upstream: https://github.com/keras-team/keras-hub/issues/3098.
"""

from typing import Any


def complete_config(backbone: Any) -> None:
    """Adds `tie_word_embeddings` to what `get_config` returns.

    Args:
        backbone: a KerasHub backbone. It is changed in place, and only where
            it has the attribute but its config does not.
    """
    tied = getattr(backbone, "tie_word_embeddings", None)
    get_config = backbone.get_config
    if tied is not None and "tie_word_embeddings" not in get_config():
        backbone.get_config = lambda: {
            **get_config(),
            "tie_word_embeddings": tied,
        }
