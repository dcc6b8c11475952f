"""Caches what JAX compiles, so that later runs do not compile it again.

Every run of a sweep compiles the same steps, and so does every evaluation and
prediction.
"""

import hashlib
import os
import pathlib
import platform
import sys
from typing import Any

_FOLDER = "jax"
_MAX_BYTES = 2**30  # With a limit, JAX also locks the folder.
_CPU_INFO = pathlib.Path("/proc/cpuinfo")
# The fields by which Linux names a processor on x86 and on ARM.
_CPU_LINES = ("vendor_id", "cpu family", "model", "flags", "Features", "CPU ")


def turn_on() -> None:
    """Turns JAX's compilation cache on, in a folder of the package's cache.

    It does nothing where the user has chosen a folder, where the folder cannot
    be made, and on processors whose features are not known: code that was
    compiled for another processor can end the process.
    """
    import jax

    # Imported here, since it imports NumPy, which --help does not need.
    from keras_fpt.files import cache

    config: Any = jax.config  # JAX adds its options when it is imported.
    if config.jax_compilation_cache_dir is not None:
        return
    device = _device(jax.default_backend())
    if device is None:
        return
    folder = cache.home() / _FOLDER / device
    try:
        cache.make_folder(folder)
    except OSError:
        return
    settings = {
        "jax_compilation_cache_max_size": _MAX_BYTES,
        "jax_compilation_cache_dir": str(folder),
    }
    for name, value in settings.items():
        config.update(name, value)
        # JAX reads these as it is imported, such as in a sweep's workers.
        os.environ[name.upper()] = str(value)


def _device(backend: str) -> str | None:
    """The name of the processor; JAX's own keys name other kinds of devices."""
    if backend != "cpu":
        return backend
    if not sys.platform.startswith("linux") or not _CPU_INFO.is_file():
        return None
    first = _CPU_INFO.read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    lines = [line for line in first if line.startswith(_CPU_LINES)]
    text = "\n".join([platform.machine(), *lines])
    return f"cpu-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
