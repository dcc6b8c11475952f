"""Pretrained backbones by name: those in this package, and KerasHub's."""

from keras_fpt.presets.loading import load_backbone as load_backbone
from keras_fpt.presets.loading import locate as locate
from keras_fpt.presets.packaged import names as names
from keras_fpt.presets.packaged import path as path
