from . import frozen_features as frozen_features
from .adapter_set import AdapterSet as AdapterSet
from .fpt_classifier import FPTClassifier as FPTClassifier
from .lstm_backbone import LSTMBackbone as LSTMBackbone
from .options import ModelOptions as ModelOptions
