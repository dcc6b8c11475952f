"""Keras layers of the models."""

from keras_fpt.layers.instance_norm import InstanceNorm as InstanceNorm
from keras_fpt.layers.layer_norm_lstm import LayerNormLSTM as LayerNormLSTM
from keras_fpt.layers.patches import Patches as Patches
from keras_fpt.layers.patches import num_patches as num_patches
from keras_fpt.layers.readout import Readout as Readout
from keras_fpt.layers.target_scale import TargetScale as TargetScale
