from .packaged import names as names
from .packaged import path as path
from .preset import Preset as Preset
from .preset import load_backbone as load_backbone
from .preset import locate as locate
