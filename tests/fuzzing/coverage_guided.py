"""Fuzzes one parser with atheris, which follows what the bytes reach.

    cd tests && python -m fuzzing.coverage_guided NAME -max_total_time=60

`make fuzz` does so for every parser in turn. What crashes is left as a file
`crash-...` in the folder that this runs in. More options are libFuzzer's.
"""

import os
import sys
import tempfile
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import atheris

with atheris.instrument_imports(include=["keras_fpt", "gguf"]):
    from fuzzing import parsers

    # Parsers import what they need when they are first called.
    for name in sys.argv[1:2]:
        if name not in parsers.PARSERS:
            sys.exit(f"Expected one of {', '.join(parsers.PARSERS)}.")
        with tempfile.TemporaryDirectory() as folder:
            parsers.parse(name, parsers.valid(name), folder)


def main():
    warnings.simplefilter("ignore")
    name = sys.argv.pop(1)
    with (
        tempfile.TemporaryDirectory() as corpus,
        tempfile.TemporaryDirectory() as folder,
    ):
        with open(os.path.join(corpus, "valid"), "wb") as file:
            file.write(parsers.valid(name))
        limits = ["-timeout=20", "-rss_limit_mb=4096", "-max_len=4096"]
        atheris.Setup(
            [sys.argv[0], corpus, *limits, *sys.argv[1:]],
            lambda content: parsers.parse(name, content, folder),
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
