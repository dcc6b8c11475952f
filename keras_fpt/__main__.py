"""`python -m keras_fpt`: the command line."""

from keras_fpt.cli import main

main()
