"""`python -m keras_fpt.cli` (and torchrun's `--module keras_fpt.cli`)."""

from keras_fpt.cli import main

main()
