from . import atomic as atomic
from . import cache as cache
from . import checkpoints as checkpoints
from . import json_files as json_files
from . import unpacking as unpacking
from .atomic import write_text as write_text
