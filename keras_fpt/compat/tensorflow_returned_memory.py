"""TensorFlow returns the memory of each operation on a CPU to the system.

The fault: without a GPU, tensors of TensorFlow 2.21 come from `malloc`, which
gives large ones back as soon as they are freed. The next operation gets new
pages, which the system must clear first: 2.5 GiB in a training step of GPT-2
base with 16 x 64 tokens, a quarter of its time. TensorFlow has an allocator
that keeps freed memory for later tensors, as it does on a GPU, but uses it only
where an environment variable says so.

No upstream issue was found.
"""

import os

_KEEP, _LIMIT = "TF_CPU_ALLOCATOR_USE_BFC", "TF_CPU_BFC_MEM_LIMIT_IN_MB"
_DEFAULT_LIMIT = 2**16  # TensorFlow's, in MiB.


def keep() -> None:
    """Lets TensorFlow keep memory, unless the environment says otherwise.

    TensorFlow reads this when its first tensor is made. It does nothing on
    other backends, where TensorFlow only feeds data, and where the size of
    the memory is not known.
    """
    import keras  # It takes seconds, and --help does not need it.

    if keras.backend.backend() != "tensorflow":
        return
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", ()):
        return  # The limit could be below the memory that there is.
    size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = max(_DEFAULT_LIMIT, size // 2**20)
    os.environ.setdefault(_KEEP, "true")
    os.environ.setdefault(_LIMIT, str(limit))
