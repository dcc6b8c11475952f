"""`torch.distributed` on PyTorch: one process per device, with torchrun."""

import contextlib
import datetime
import os
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from keras_fpt.compat import keras_internals
from keras_fpt.distribution import batches, meeting, variables

# How long a process waits for another one that does not answer.
PATIENCE = datetime.timedelta(minutes=10)
# Whether torchrun's own process, and not process 0, listens at the address.
TORCHRUN_STORE = "TORCHELASTIC_USE_AGENT_STORE"


@contextlib.contextmanager
def connect(kind: str) -> Iterator["TorchProcesses | None"]:
    """See `keras_fpt.distribution.scope`."""
    import torch
    import torch.distributed

    if kind == "model_parallel":
        raise ValueError(
            "PyTorch does not support distribution 'model_parallel'. Use "
            "'data_parallel', or KERAS_BACKEND=jax."
        )
    if "WORLD_SIZE" not in os.environ:
        if kind == "data_parallel":
            raise ValueError(
                "On PyTorch each device needs its own process. Start them "
                "with torchrun: `torchrun --nproc-per-node 2 --no-python "
                "keras-fpt train ... --distribution data_parallel`."
            )
        yield None
        return
    on_gpu = torch.cuda.is_available()
    count = variables.integer("WORLD_SIZE", 1)
    index = variables.integer("RANK", 0, count - 1)
    if on_gpu:
        last = torch.cuda.device_count() - 1
        torch.cuda.set_device(variables.integer("LOCAL_RANK", 0, last))
    with _joined(index, count) as peers:
        torch.distributed.init_process_group(
            "nccl" if on_gpu else "gloo", timeout=PATIENCE
        )
        try:
            yield TorchProcesses(peers)
        finally:
            torch.distributed.destroy_process_group()


def _joined(index: int, count: int) -> Any:
    """Meets the other processes, unless torchrun looks after them."""
    if count == 1 or os.environ.get(TORCHRUN_STORE) == "True":
        return contextlib.nullcontext()
    port = variables.integer("MASTER_PORT", 1, 2**16 - 1)
    host = os.environ.get("MASTER_ADDR")
    if not host:
        raise ValueError(
            "Expected the environment variable MASTER_ADDR to be the host of "
            "process 0, but it is not set. torchrun sets it."
        )
    return meeting.joined(f"{host}:{port}", index, count)


class TorchProcesses:
    """Processes that train one model with `DistributedDataParallel`."""

    def __init__(self, peers: meeting.Peers | None = None) -> None:
        import torch.distributed

        self.peers = peers
        self.num_processes = torch.distributed.get_world_size()
        self.process_index = torch.distributed.get_rank()
        self.num_replicas = self.num_processes
        self.description = f"data parallel in {self.num_processes} process(es)"

    def total(self, value: int) -> int:
        """See `keras_fpt.distribution.total`."""
        return int(_summed([np.int64(value)])[0])

    def relative_count(self, count: Any, rows: Any, training: bool) -> Any:
        """See `keras_fpt.distribution.relative_count`."""
        import torch

        if not training:
            return 1.0  # Each process evaluates whole batches.
        own = torch.stack([count.detach(), torch.full_like(count, rows)])
        total = own.clone()
        torch.distributed.all_reduce(total)
        return (own[0] * total[1]) / (own[1] * total[0]).clamp(min=1)

    def training_data(self, model: Any, dataset: Any) -> Any:
        """This process's part of a training data set."""
        return batches.own_rows(
            dataset, self.process_index, self.num_processes, self.num_replicas
        )

    def held_out_data(self, model: Any, dataset: Any) -> Any:
        """This process's part of a held-out data set."""
        if not batches.is_dataset(dataset):
            return dataset
        return batches.own_batches(
            dataset, self.process_index, self.num_processes
        )

    @contextlib.contextmanager
    def training(self, model: Any) -> Iterator[None]:
        """Lets a model's `fit` exchange gradients within this context."""
        import torch

        if not model.built:
            raise ValueError(
                "In several processes a model must know the width of its "
                "tokens. Pass input_dim or task."
            )
        network = torch.nn.parallel.DistributedDataParallel(
            model, forward_sync_buffers=False
        )
        with _replaced_methods(
            model,
            train_step=lambda data: _train_step(model, network, data),
            get_metrics_result=lambda: _metrics_of_all(model),
        ):
            yield

    def evaluate(
        self,
        model: Any,
        evaluate: Callable,
        x: Any,
        y: Any,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Evaluates own batches, then exchanges what the metrics counted."""
        with _replaced_methods(model, get_metrics_result=_own_metrics(model)):
            evaluate(x, y, return_dict=True, **kwargs)
        result = {
            name: float(value) for name, value in _metrics_of_all(model).items()
        }
        return result if return_dict else [*result.values()]

    def predict(
        self, model: Any, predict: Callable, x: Any, **kwargs: Any
    ) -> Any:
        """Predicts with Keras's own `predict`."""
        return predict(x, **kwargs)


def _train_step(model: Any, network: Any, data: Any) -> dict[str, Any]:
    """Keras's own training step, with a network that exchanges gradients."""
    import torch

    x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
    y_pred = network(x, training=True)
    model.zero_grad()
    loss = model.compute_loss(
        x=x, y=y, y_pred=y_pred, sample_weight=weight, training=True
    )
    keras_internals.loss_tracker(model).update_state(
        loss, sample_weight=len(y_pred)
    )
    model.optimizer.scale_loss(loss).backward()
    variables = model.trainable_variables
    with torch.no_grad():
        model.optimizer.apply([v.value.grad for v in variables], variables)
    return model.compute_metrics(x, y, y_pred, sample_weight=weight)


def _own_metrics(model: Any) -> Callable[[], dict[str, Any]]:
    """Keras's own `get_metrics_result`."""
    return lambda: type(model).get_metrics_result(model)


def _metrics_of_all(model: Any) -> dict[str, Any]:
    """The metrics over the data of all processes."""
    variables = model.metrics_variables
    own = [keras.ops.convert_to_numpy(v) for v in variables]
    for variable, value in zip(variables, _summed(own), strict=True):
        variable.assign(value)
    result = _own_metrics(model)()
    # Each process continues to count its own data.
    for variable, value in zip(variables, own, strict=True):
        variable.assign(value)
    return result


@contextlib.contextmanager
def _replaced_methods(model: Any, **functions: Callable) -> Iterator[None]:
    """Replaces methods of one model within this context."""
    originals = {name: vars(model).get(name) for name in functions}
    for name, function in functions.items():
        setattr(model, name, function)
    try:
        yield
    finally:
        for name, function in originals.items():
            if function is None:
                delattr(model, name)
            else:
                setattr(model, name, function)


def _summed(arrays: list) -> list[np.ndarray]:
    """The sums of arrays over all processes, in one exchange."""
    import torch

    flat = np.concatenate([np.ravel(a).astype("float64") for a in arrays])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    total = torch.from_numpy(flat).to(device)
    torch.distributed.all_reduce(total)
    sizes = [np.size(a) for a in arrays]
    parts = np.split(total.cpu().numpy(), np.cumsum(sizes)[:-1])
    return [
        part.reshape(np.shape(a)).astype(np.asarray(a).dtype)
        for part, a in zip(parts, arrays, strict=True)
    ]
