"""The command line: parses, calls the library, prints. Nothing else prints."""

from keras_fpt.cli.app import app as app
from keras_fpt.cli.app import main as main
