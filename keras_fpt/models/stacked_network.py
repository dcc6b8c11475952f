"""A backbone and new layers with the trained weights of several runs."""

import dataclasses
from typing import Any, NoReturn

import keras

from keras_fpt import backbones, freezing
from keras_fpt.compat import keras_hub_internals
from keras_fpt.models.cut import CutBackbone, cut_at_embedding
from keras_fpt.models.stacked_layers import (
    StackedBlock,
    StackedDense,
    StackedEmbedding,
    StackedLayer,
    StackedNorm,
    StackedPositions,
)


class Stacker:
    """Replaces the layers of a classifier that differ between runs.

    `layers` are the `StackedLayer`s that it has made.

    Args:
        classifier: an `FPTClassifier`, whose `trainable` flags say what
            differs in the backbone. Its new layers do in any case.
        size: int, the number of runs.
    """

    def __init__(self, classifier: Any, size: int) -> None:
        import keras_hub

        self.classifier, self.size = classifier, size
        self.layers: list[StackedLayer] = []
        self.trained = {
            name
            for name, variable in freezing.named_weights(classifier).items()
            if variable.trainable
        }
        self._kinds = {
            keras.layers.Dense: StackedDense,
            keras.layers.Embedding: StackedEmbedding,
            keras.layers.LayerNormalization: StackedNorm,
            keras_hub.layers.PositionEmbedding: StackedPositions,
        }
        self._replaced: dict[int, Any] = {}
        self._names: dict[int, str] = {}  # of the backbone's weights

    def new_layer(self, layer: Any) -> StackedLayer:
        """A new layer of the classifier, for all runs."""
        names = {v.name: f"{layer.name}/{v.name}" for v in layer.weights}
        return self._stacked(layer, names)

    def network(self, backbone: Any) -> CutBackbone:
        """A copy of the classifier's backbone, cut, for all runs.

        Args:
            backbone: a copy of the backbone.

        Raises:
            ValueError: other weights train than norms and positions, or the
                blocks are of another kind.
        """
        model = self.classifier
        cut = cut_at_embedding(
            backbone,
            pooled=model.readout == "pooled",
            rematerialize=model.rematerialize,
        ).at_precision(model.options.precision)
        if cut.fast is None:
            raise ValueError(
                "Expected classifiers with the blocks of GPT-2, OPT, BERT or "
                "similar families, and a readout of tokens, but received a "
                f"{type(backbone).__name__} and readout='{model.readout}'. "
                "Train them one by one."
            )
        self._names = {
            id(variable): f"backbone/{name}"
            for name, variable in backbones.weights_by_name(backbone).items()
        }
        parts: dict[str, Any] = {
            name: None if part is None else self._rebuilt(part)
            for name, part in (
                ("prefix", cut.fast.prefix),
                ("suffix", cut.fast.suffix),
            )
        }
        blocks = tuple(self._block(block) for block in cut.fast.blocks)
        self._check_complete()
        fast = dataclasses.replace(cut.fast, blocks=blocks, **parts)
        return dataclasses.replace(cut, fast=fast)

    def _rebuilt(self, part: keras.Model) -> keras.Model:
        """A functional model with layers replaced."""
        return keras.models.clone_model(
            part, clone_function=self._layer, recursive=True
        )

    def _layer(self, layer: Any) -> Any:
        """The layer that replaces a layer of the backbone, perhaps itself."""
        weights = getattr(layer, "weights", [])  # Operations have none.
        names = {v.name: self._names[id(v)] for v in weights}
        if self.trained.isdisjoint(names.values()):
            return layer
        if id(layer) not in self._replaced:
            self._replaced[id(layer)] = self._stacked(layer, names)
        return self._replaced[id(layer)]

    def _block(self, block: Any) -> Any:
        if id(block) not in self._replaced:  # ALBERT's are one and the same.
            layers = keras_hub_internals.block_layers(block)
            norms = {
                name: self._layer(getattr(layers, name))
                for name in ("attention_norm", "feedforward_norm")
            }
            norms = {
                name: norm
                for name, norm in norms.items()
                if isinstance(norm, StackedNorm)
            }
            self._replaced[id(block)] = (
                StackedBlock(block, norms) if norms else block
            )
        return self._replaced[id(block)]

    def _stacked(self, layer: Any, names: dict[str, str]) -> StackedLayer:
        kind: Any = self._kinds.get(type(layer))
        if kind is None:
            self._refuse(names.values())
        stacked = kind(layer, self.size, names, self.trained)
        self.layers.append(stacked)
        return stacked

    def _check_complete(self) -> None:
        sources = {s for layer in self.layers for s in layer.sources.values()}
        in_backbone = {n for n in self.trained if n.startswith("backbone/")}
        if not in_backbone <= sources:
            self._refuse(in_backbone - sources)

    def _refuse(self, names: Any) -> NoReturn:
        raise ValueError(
            "Only input and output layers, positions and layer norms can "
            f"train in a stack, but the policy '{self.classifier.policy}' "
            f"trains `{min(names)}`. Train these classifiers one by one."
        )
