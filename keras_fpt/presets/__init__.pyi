from .packaged import names as names
from .packaged import path as path
from .preset import GGUF_SCHEME as GGUF_SCHEME
from .preset import Preset as Preset
from .preset import load_backbone as load_backbone
from .preset import locate as locate
