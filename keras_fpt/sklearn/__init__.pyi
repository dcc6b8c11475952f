from .classifier import FPTClassifier as FPTClassifier
from .estimator import MODEL_OPTIONS as MODEL_OPTIONS
from .estimator import FPTEstimator as FPTEstimator
from .regressor import FPTRegressor as FPTRegressor
