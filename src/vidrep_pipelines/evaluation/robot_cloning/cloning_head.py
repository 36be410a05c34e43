"""The head that clones behavior: from features of the last frames to the mean action."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from vidrep_pipelines.common.arrays import SingleArray
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.evaluation.robot_cloning.config import CloningHeadConfig


def fused_history(features: SingleArray) -> SingleArray:
    """The features of H consecutive frames as a head sees them (CortexBench, appendix A).

    Args:
        features: (..., H, D), the present frame last.

    Returns:
        (..., H * D): how features changed from each frame to the next, then the present ones.
    """
    changes = np.diff(features, axis=-2)
    fused = np.concatenate([changes, features[..., -1:, :]], axis=-2)
    return fused.reshape(*features.shape[:-2], -1)


def histories(features: SingleArray, history: int) -> SingleArray:
    """What a head sees at each frame of an episode: (T, D) to (T, history * D), see :func:`fused_history`.

    The first frame stands for those before it.
    """
    padded = np.concatenate([np.repeat(features[:1], history - 1, axis=0), features])
    windows = np.lib.stride_tricks.sliding_window_view(padded, history, axis=0)
    return fused_history(np.moveaxis(windows, -1, -2))


class CloningHead(nn.Module):
    """Batch norm of the input, then an MLP with ReLU.

    Args:
        inputs: Numbers of the input.
        actions: Numbers of an action.
        hidden: Units of the hidden layers.
    """

    def __init__(self, inputs: int, actions: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        sizes = (inputs, *hidden)
        self.norm = nn.BatchNorm1d(inputs)
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))
        self.action = nn.Linear(sizes[-1], actions)

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, inputs) to the mean actions (B, actions)."""
        hidden = self.norm(inputs)
        for layer in self.layers:
            hidden = torch.relu(layer(hidden))
        mean: Tensor = self.action(hidden)
        return mean


def trained_heads(
    inputs: SingleArray, actions: SingleArray, config: CloningHeadConfig, seed: int, device: torch.device
) -> Iterator[tuple[int, CloningHead, float]]:
    """Clones behavior: the head at each time at which it is kept.

    Args:
        inputs: (N, F) what is seen at N control steps.
        actions: (N, A) what was done then.
        config: Sizes and training.
        seed: First weights and order of batches follow from it.
        device: Where it is trained.

    Yields:
        After how many epochs or updates; the head, ready to act, which goes on to change; the mean squared
        error of the last epoch, or of the updates since it was last kept.

    Raises:
        InputError: There are fewer than two steps, or numbers that are not finite.
    """
    if len(inputs) < 2 or not np.isfinite(inputs).all() or not np.isfinite(actions).all():
        raise InputError(
            f"Behavior cannot be cloned from {len(inputs)} control steps: there must be two, and all numbers "
            "finite. Remedy: more demonstrations; or see the encoder's weights."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "first weights"))
        head = CloningHead(inputs.shape[1], actions.shape[1], config.hidden).to(device)
    optimizer = torch.optim.Adam(head.parameters(), config.learning_rate)
    seen, done = (torch.from_numpy(array).to(device) for array in (inputs, actions))
    errors = list[float]()
    for after, places, is_last in _batches(len(inputs), config, seed):
        loss = nn.functional.mse_loss(head.train()(seen[places]), done[places])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        errors.append(float(loss.detach()))
        if is_last:
            if after in config.kept:
                yield after, head.eval(), float(np.mean(errors))
            errors.clear()


def _batches(count: int, config: CloningHeadConfig, seed: int) -> Iterator[tuple[int, Tensor, bool]]:
    """Of each update: the epochs or updates that are over with it, its steps, whether they are complete.

    A last batch of a single step is left out: it has no variance to be divided by.
    """
    generator = torch.Generator().manual_seed(seed_for(seed, "order") % 2**63)
    size, epoch, update = config.batch_size, 0, 0
    while True:
        epoch += 1
        order = torch.randperm(count, generator=generator)
        parts = [part for part in torch.split(order, size) if len(part) > 1]
        for number, part in enumerate(parts, 1):
            update += 1
            by_epochs = config.unit == "epochs"
            after = epoch if by_epochs else update
            yield after, part, number == len(parts) if by_epochs else after in config.kept
            if not by_epochs and update == config.length:
                return
        if config.unit == "epochs" and epoch == config.length:
            return
