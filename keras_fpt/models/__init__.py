"""`FPTClassifier` and what it is made of."""

from keras_fpt.models.adapter_set import AdapterSet as AdapterSet
from keras_fpt.models.fpt_classifier import FPTClassifier as FPTClassifier


def __getattr__(name):
    # A KerasHub backbone, and KerasHub takes seconds to import.
    if name == "LSTMBackbone":
        from keras_fpt.models.lstm_backbone import LSTMBackbone

        return LSTMBackbone
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
