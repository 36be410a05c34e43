"""Looking at the model in the middle of training, without disturbing it."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.tensor import DTensor

from vidrep_pipelines.training import distributed
from vidrep_pipelines.training.task import Model, Task


@contextmanager
def own_random_state(device: torch.device) -> Iterator[None]:
    """Restores torch's global generators at the end."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Switches the whole model to evaluation and afterwards every module back to its own former mode.

    Nothing is compiled meanwhile: a few pictures, of shapes of their own, are not worth it.
    """
    modes = {module: module.training for module in model.modules()}
    compiled = any(getattr(module, "_compiled_call_impl", None) is not None for module in modes)
    model.eval()
    try:
        with torch.compiler.set_stance("force_eager") if compiled else nullcontext():
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def whole_model(task: Task[Model], model: Model, device: torch.device) -> Model:
    """The model itself or, if it is sharded, an unsharded copy on the main process.

    Every process must call this.
    """
    if not any(isinstance(parameter, DTensor) for parameter in model.parameters()):
        return model
    state = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    if not distributed.is_main():
        return model
    copy = task.build_model()
    copy.load_state_dict(state)
    return copy.to(device)
