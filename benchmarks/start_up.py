"""Time the import of the package, and `keras-fpt --help`."""

import os
import pathlib
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "`import keras`": [sys.executable, "-c", "import keras"],
    "`import keras_fpt`": [sys.executable, "-c", "import keras_fpt"],
    "`keras-fpt --help`": [
        pathlib.Path(sys.executable).with_name("keras-fpt"),
        "--help",
    ],
}


def table(backends, rounds):
    """Markdown: medians and quartiles over processes that take turns."""
    lines = [
        "\n### Start-up, in seconds\n",
        f"| backend | {' | '.join(COMMANDS)} |",
        "| --- " + "| ---: " * len(COMMANDS) + "|",
    ]
    for backend in backends:
        seconds = {name: [] for name in COMMANDS}
        # The first round reads files from disk, the others from memory.
        for counted in [False] + [True] * rounds:
            for name, command in COMMANDS.items():
                duration = timed(command, backend)
                seconds[name] += [duration] if counted else []
        cells = []
        for durations in seconds.values():
            lower, median, upper = statistics.quantiles(durations, n=4)
            cells.append(f"{median:.2f} ({lower:.2f}-{upper:.2f})")
        lines.append(f"| {backend} | {' | '.join(cells)} |")
    return "\n".join(lines)


def timed(command, backend):
    began = time.perf_counter()
    subprocess.run(
        command,
        env=os.environ | {"KERAS_BACKEND": backend},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - began
