"""Keras layers of the models."""

from keras_fpt.layers.layer_norm_lstm import LayerNormLSTM as LayerNormLSTM
from keras_fpt.layers.readout import Readout as Readout
from keras_fpt.layers.target_scale import TargetScale as TargetScale
