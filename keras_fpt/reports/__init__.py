"""Reports for users: the HTML page, plots and attention maps."""

from keras_fpt.reports.attention_maps import attention_map as attention_map
from keras_fpt.reports.attention_share import attention_share as attention_share
from keras_fpt.reports.page import write_report as write_report
from keras_fpt.reports.plots import (
    draw_accuracy_by_size as draw_accuracy_by_size,
)
