"""`FPTClassifier` and what it is made of."""

from keras_fpt.models.fpt_classifier import FPTClassifier as FPTClassifier
