"""Pretraining: where a preset's frozen weights come from."""

from keras_fpt.pretraining.bit_memory import (
    BitMemoryConfig as BitMemoryConfig,
)
from keras_fpt.pretraining.bit_memory import (
    pretrain_bit_memory as pretrain_bit_memory,
)
from keras_fpt.pretraining.language_model import (
    LanguageModelConfig as LanguageModelConfig,
)
from keras_fpt.pretraining.language_model import (
    pretrain_language_model as pretrain_language_model,
)
