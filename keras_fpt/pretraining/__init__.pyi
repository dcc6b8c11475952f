from . import bit_memory as bit_memory
from .bit_memory import pretrain_bit_memory as pretrain_bit_memory
from .config import BitMemoryConfig as BitMemoryConfig
from .config import LanguageModelConfig as LanguageModelConfig
from .language_model import (
    pretrain_language_model as pretrain_language_model,
)
