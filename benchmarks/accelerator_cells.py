"""The cells of `accelerator.py`, and how one is measured in its process.

    step      training steps of a system on random data
    features  an epoch that trains the output layer, with and without features
    runs      runs of the packaged `gpt2_tiny_en`, one after the other
    stack     the same runs in one step, `StackedClassifiers`

The processes import first and then wait for a line of input, so that no two
use the accelerator at the same time.
"""

import dataclasses
import importlib
import json
import os
import statistics
import sys
import time

import step_systems

OUT_OF_MEMORY = "out of memory"
SIZES = {
    "base": {"num_layers": 12, "hidden_dim": 768, "num_heads": 12},
    "large": {"num_layers": 36, "hidden_dim": 1280, "num_heads": 20},
    "smoke": {"num_layers": 1, "hidden_dim": 16, "num_heads": 2},
}
STEPS_PER_RUN = 200


@dataclasses.dataclass(frozen=True)
class Cell:
    """What is measured in one process."""

    kind: str
    system: str
    backend: str
    precision: str
    model: str = "base"
    tokens: int = 64
    batch_size: int = 64
    dropout: float = 0.1
    runs: int = 0

    @property
    def shape(self):
        is_half = self.precision == "bfloat16"
        return step_systems.Shape(
            **SIZES[self.model],
            batch_size=self.batch_size,
            tokens=self.tokens,
            dropout=self.dropout,
            dtype="mixed_bfloat16" if is_half else "float32",
        )


def main():
    cell, smoke = Cell(**json.loads(sys.argv[1])), bool(int(sys.argv[2]))
    import_packages(cell)
    if not sys.stdin.readline():
        return  # The parent process has ended.
    try:
        row = measure(cell, smoke)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        if not is_out_of_memory(text):
            raise
        row = {"error": OUT_OF_MEMORY}
    print(json.dumps(row))


def import_packages(cell):
    needed = ["keras", cell.backend]
    if cell.system == "reference":
        needed += ["transformers.models.gpt2.modeling_gpt2"]
    else:
        needed += ["keras_hub"]
    if cell.system == "keras_fpt":
        needed += ["keras_fpt.models.stacked"]
    for name in needed:
        importlib.import_module(name)


def is_out_of_memory(text):
    """Whether an error's text is one of PyTorch's, JAX's or TensorFlow's."""
    signs = ("out of memory", "resource_exhausted", "oom when", "outofmemory")
    return any(sign in text.lower() for sign in signs)


def measure(cell, smoke=False):
    """The results of a cell, as JSON has them."""
    set_precision(cell)
    kinds = {
        "step": measure_steps,
        "features": features,
        "runs": runs,
        "stack": stack,
    }
    row = kinds[cell.kind](cell, 0.0 if smoke else 1.5)
    gibibytes = peak_gibibytes(cell.backend)
    # Last, since the matrices would count for the peak of memory.
    peak = product_peak(cell.shape.dtype if cell.kind == "step" else "", smoke)
    if peak:
        row |= {"peak_flops": peak, "share": row["flops"] / peak}
    return row | {
        "gibibytes": gibibytes,
        "device": device_name(cell.backend),
        "version": importlib.import_module(cell.backend).__version__,
        "flags": os.environ.get("XLA_FLAGS", "") * (cell.backend == "jax"),
    }


def set_precision(cell):
    """Chooses how float32 is multiplied. JAX takes it from its environment."""
    allows_tf32 = cell.precision == "tf32"
    if cell.backend == "torch":
        import torch

        precision = "high" if allows_tf32 else "highest"
        torch.set_float32_matmul_precision(precision)
    elif cell.backend == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_tensor_float_32_execution(allows_tf32)


def measure_steps(cell, seconds):
    """Examples, tokens and operations per second of a training step.

    The loss is waited for after every fifth step, or after each one if steps
    take long.
    """
    shape = cell.shape
    train = getattr(step_systems, cell.system)(shape)
    began = time.perf_counter()
    train(1)
    first = time.perf_counter() - began
    guess = min(train(3))
    reading = 5 if guess < 0.2 else 1
    count = min(200, max(3 * reading, round(seconds / guess)))
    steps = train(count, reading)
    step = statistics.median(steps)
    return {
        "step_seconds": step,
        "quartiles": statistics.quantiles(steps, n=4)[::2],
        "first_seconds": first,
        "examples_per_second": shape.batch_size / step,
        "tokens_per_second": shape.batch_size * shape.tokens / step,
        "flops": shape.flops / step,
    }


def features(cell, seconds):
    """Epochs that train the output layer alone."""
    import cached_features

    return cached_features.measure(cell.shape, batches=16, epochs=3)


def runs(cell, seconds):
    """Runs of the packaged model, each built, compiled and trained alone.

    Their batches are as large as those of the task `digits`.
    """
    x, y = digits(seconds)

    def train(seed):
        began = time.perf_counter()
        model = classifier(cell, seed)
        model.fit(x[:64], y[:64], verbose=0)  # It compiles.
        ready = time.perf_counter()
        model.fit(x, y, batch_size=64, verbose=0)
        return ready - began, time.perf_counter() - ready

    began = time.perf_counter()
    parts = [train(seed) for seed in range(cell.runs)]
    return {
        "seconds": time.perf_counter() - began,
        "ready_seconds": sum(ready for ready, _ in parts),
        "training_seconds": sum(training for _, training in parts),
        "steps_per_run": len(x) // 64,
    }


def stack(cell, seconds):
    """The same runs, compiled and trained in one step.

    The preset is loaded once, before any of them trains.
    """
    from keras_fpt.models import StackedClassifiers

    x, y = digits(seconds)
    began = time.perf_counter()
    backbone = classifier(cell, 0).backbone
    models = [classifier(cell, seed, backbone) for seed in range(cell.runs)]
    built = time.perf_counter()
    stacked = StackedClassifiers(models)
    stacked.fit(x[:64], y[:64], verbose=0)  # It compiles.
    ready = time.perf_counter()
    stacked.fit(x, y, batch_size=64, verbose=0)
    stacked.unstack()
    ended = time.perf_counter()
    return {
        "seconds": ended - began,
        "built_seconds": built - began,
        "ready_seconds": ready - began,
        "training_seconds": ended - ready,
        "steps_per_run": len(x) // 64,
    }


def digits(seconds):
    """Tokens and labels of the shapes of `digits`; few if `seconds` is 0."""
    import numpy as np

    generator = np.random.default_rng(0)
    count = 64 * (STEPS_PER_RUN if seconds else 2)
    x = generator.normal(size=(count, 16, 4)).astype("float32")
    return x, generator.integers(0, 10, count)


def classifier(cell, seed, backbone=None):
    """A classifier of the packaged model, or of its backbone, loaded before."""
    import keras

    from keras_fpt import FPTClassifier

    keras.utils.set_random_seed(seed)
    shape = {"num_classes": 10, "input_dim": 4}
    if backbone is not None:
        return FPTClassifier(backbone, **shape)
    dtype = cell.precision.replace("bfloat16", "mixed_bfloat16")
    return FPTClassifier.from_preset("gpt2_tiny_en", dtype=dtype, **shape)


def product_peak(dtype, smoke):
    """Operations per second of a large product of square matrices."""
    if not dtype:
        return None
    import keras

    size, count = (256, 2) if smoke else (8192, 10)
    dtype = dtype.removeprefix("mixed_")
    matrices = [
        keras.random.normal((size, size), dtype=dtype, seed=seed)
        for seed in range(2)
    ]

    def seconds():
        began = time.perf_counter()
        for _ in range(count):
            product = keras.ops.matmul(*matrices)
        float(product[0, 0])  # Waits for it.
        return (time.perf_counter() - began) / count

    seconds()
    return 2 * size**3 / statistics.median(seconds() for _ in range(5))


def peak_gibibytes(backend):
    """Peak memory that the backend took of the device, `None` on a CPU."""
    peak = None
    if backend == "torch":
        import torch

        if torch.cuda.is_available():
            peak = torch.cuda.max_memory_allocated()
    elif backend == "jax":
        import jax

        peak = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    else:
        import tensorflow as tf

        if tf.config.list_physical_devices("GPU"):
            peak = tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return None if peak is None else peak / 2**30


def device_name(backend):
    if backend == "torch":
        import torch

        if torch.cuda.is_available():
            return torch.cuda.get_device_name()
    elif backend == "jax":
        import jax

        return jax.devices()[0].device_kind
    else:
        import tensorflow as tf

        for device in tf.config.list_physical_devices("GPU"):
            details = tf.config.experimental.get_device_details(device)
            return details["device_name"]
    return "cpu"


if __name__ == "__main__":
    main()
