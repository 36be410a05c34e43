"""Behavior cloning from tokens: what acting on values has to be better than."""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidrep_pipelines.common.arrays import FloatArray, IntArray


class CloningRecipe(Protocol):
    """How actions are cloned."""

    @property
    def width(self) -> int:
        """Units of the hidden layer, and numbers of a token's vector."""

    @property
    def steps(self) -> int:
        """Updates."""

    @property
    def batch_size(self) -> int:
        """States of an update."""

    @property
    def learning_rate(self) -> float:
        """Of Adam."""

    @property
    def dropout(self) -> float:
        """Of what is known of a state."""


_MEASURED_EVERY = 100


class ActionCloner(nn.Module):
    """A perceptron on the sum of learned vectors of every token at its place.

    Args:
        places: Tokens T of a state.
        vocabulary: Different tokens V.
        actions: Numbers of what is predicted.
        config: Sizes.
    """

    starts: Tensor

    def __init__(self, places: int, vocabulary: int, actions: int, config: CloningRecipe) -> None:
        super().__init__()
        self.register_buffer("starts", torch.arange(places) * vocabulary)
        self.vectors = nn.EmbeddingBag(places * vocabulary, config.width, mode="mean")
        self.layers = nn.Sequential(
            nn.LayerNorm(config.width),
            nn.Dropout(config.dropout),
            nn.Linear(config.width, config.width),
            nn.ReLU(),
            nn.Linear(config.width, actions),
        )

    def forward(self, states: Tensor) -> Tensor:
        """Actions (n, A) of states (n, T)."""
        actions: Tensor = self.layers(self.vectors(states + self.starts))
        return actions

    @torch.no_grad()
    def act(self, states: IntArray) -> FloatArray:
        """Actions (n, A) of states (n, T), without dropout."""
        self.eval()
        actions: FloatArray = self(torch.from_numpy(np.ascontiguousarray(states))).double().numpy()
        return actions


def clone_actions(
    states: IntArray,
    actions: FloatArray,
    held_out: tuple[IntArray, FloatArray],
    vocabulary: int,
    config: CloningRecipe,
    seed: int,
) -> ActionCloner:
    """Fits actions by their mean square.

    Args:
        states: (n, T) tokens.
        actions: (n, A) taken in them.
        held_out: The same of other episodes, by which the best weights are chosen.
        vocabulary: Different tokens.
        config: How.
        seed: Of weights and batches.
    """
    generator = torch.Generator().manual_seed(seed % 2**63)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        model = ActionCloner(states.shape[1], vocabulary, actions.shape[1], config)
        optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
        inputs, wanted = torch.from_numpy(states), torch.from_numpy(actions).float()
        best, kept = np.inf, model.state_dict()
        for step in range(1, config.steps + 1):
            rows = torch.randint(len(inputs), (config.batch_size,), generator=generator)
            loss = F.mse_loss(model.train()(inputs[rows]), wanted[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if step % _MEASURED_EVERY == 0 or step == config.steps:
                error = float(np.mean((model.act(held_out[0]) - held_out[1]) ** 2))
                if error < best:
                    best = error
                    kept = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(kept)
    return model.eval()
