"""`python -m keras_fpt`: the command line."""

import os
import sys

# `-m` puts the current folder first, where a file that is named like a package
# would be run in its place. This package is already loaded.
if sys.path[0] in ("", os.getcwd()):
    del sys.path[0]

from keras_fpt.cli import main  # noqa: E402

main()
