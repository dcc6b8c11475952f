"""Tasks: labelled sequences as tf.data pipelines."""

from keras_fpt.tasks.registry import get as get
from keras_fpt.tasks.registry import names as names
from keras_fpt.tasks.task import Recipe as Recipe
from keras_fpt.tasks.task import Splits as Splits
from keras_fpt.tasks.task import Task as Task
