from . import distribution as distribution
from . import freezing as freezing
from . import layers as layers
from . import models as models
from . import presets as presets
from . import pretraining as pretraining
from . import reports as reports
from . import results as results
from . import runs as runs
from . import sklearn as sklearn
from . import studies as studies
from . import tasks as tasks
from .models import AdapterSet as AdapterSet
from .models import FPTClassifier as FPTClassifier
from .models import FPTForecaster as FPTForecaster
from .models import FPTMultiLabelClassifier as FPTMultiLabelClassifier
from .models import FPTRegressor as FPTRegressor
from .models import FPTTokenClassifier as FPTTokenClassifier

__version__: str
