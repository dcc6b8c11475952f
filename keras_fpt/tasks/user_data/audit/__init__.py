"""The audit of the user's data, before training."""

from keras_fpt.tasks.user_data.audit.audit_answers import (
    find_in_labels as find_in_labels,
)
from keras_fpt.tasks.user_data.audit.audit_answers import (
    find_in_tokens as find_in_tokens,
)
from keras_fpt.tasks.user_data.audit.audit_values import (
    sentinels_in_targets as sentinels_in_targets,
)
from keras_fpt.tasks.user_data.audit.class_names import (
    joined_classes as joined_classes,
)
from keras_fpt.tasks.user_data.audit.class_names import (
    numbers_as_classes as numbers_as_classes,
)
from keras_fpt.tasks.user_data.audit.class_names import (
    similar_classes as similar_classes,
)
from keras_fpt.tasks.user_data.audit.class_names import (
    single_examples as single_examples,
)
from keras_fpt.tasks.user_data.audit.findings import Finding as Finding
from keras_fpt.tasks.user_data.audit.findings import (
    check_findings as check_findings,
)
from keras_fpt.tasks.user_data.audit.findings import (
    log_findings as log_findings,
)
from keras_fpt.tasks.user_data.audit.unlabeled_classes import (
    missing_as_class as missing_as_class,
)
from keras_fpt.tasks.user_data.audit.unlabeled_classes import (
    unlabeled_as_class as unlabeled_as_class,
)
