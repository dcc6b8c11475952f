"""Keras layers that the models are made of."""

from keras_fpt.layers.readout import Readout as Readout
