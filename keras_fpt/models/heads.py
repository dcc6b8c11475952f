"""The classes of models by their names in files and tasks."""

from keras_fpt.models.fpt_classifier import FPTClassifier
from keras_fpt.models.fpt_forecaster import FPTForecaster
from keras_fpt.models.fpt_model import FPTModel
from keras_fpt.models.fpt_multi_label_classifier import FPTMultiLabelClassifier
from keras_fpt.models.fpt_regressor import FPTRegressor
from keras_fpt.models.fpt_token_classifier import FPTTokenClassifier

HEADS: dict[str, type[FPTModel]] = {
    cls.head: cls
    for cls in (
        FPTClassifier,
        FPTRegressor,
        FPTMultiLabelClassifier,
        FPTTokenClassifier,
        FPTForecaster,
    )
}
