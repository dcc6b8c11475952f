from . import frozen_features as frozen_features
from .adapter_set import AdapterSet as AdapterSet
from .attention_backbone import AttentionBackbone as AttentionBackbone
from .fpt_classifier import FPTClassifier as FPTClassifier
from .fpt_forecaster import FPTForecaster as FPTForecaster
from .fpt_model import FPTModel as FPTModel
from .fpt_multi_label_classifier import (
    FPTMultiLabelClassifier as FPTMultiLabelClassifier,
)
from .fpt_regressor import FPTRegressor as FPTRegressor
from .fpt_token_classifier import FPTTokenClassifier as FPTTokenClassifier
from .heads import HEADS as HEADS
from .lstm_backbone import LSTMBackbone as LSTMBackbone
from .options import ModelOptions as ModelOptions
from .paper_recipe import default_dropout as default_dropout
from .paper_recipe import paper_optimizer as paper_optimizer
from .readings import NoAttentionError as NoAttentionError
from .stacked import StackedClassifiers as StackedClassifiers
