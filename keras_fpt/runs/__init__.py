"""One run: what it is, training, evaluation, and the folder it leaves."""
