"""Tasks: labelled sequences as tf.data pipelines."""

from keras_fpt.tasks.images import patches as patches
from keras_fpt.tasks.registry import get as get
from keras_fpt.tasks.registry import is_user_data as is_user_data
from keras_fpt.tasks.registry import names as names
from keras_fpt.tasks.task import Origin as Origin
from keras_fpt.tasks.task import Recipe as Recipe
from keras_fpt.tasks.task import Splits as Splits
from keras_fpt.tasks.task import Task as Task
from keras_fpt.tasks.user_data.arrays import from_arrays as from_arrays
from keras_fpt.tasks.user_data.arrays import from_dataset as from_dataset
from keras_fpt.tasks.user_data.fasta import from_fasta as from_fasta
from keras_fpt.tasks.user_data.image_folders import (
    from_image_folder as from_image_folder,
)
from keras_fpt.tasks.user_data.strings import from_strings as from_strings
from keras_fpt.tasks.user_data.tables import from_csv as from_csv
from keras_fpt.tasks.user_data.wav_folders import (
    from_wav_folder as from_wav_folder,
)
