"""The occupancy objective: predict a sample of the discounted future, and the rewards on the way.

In the notation of arXiv 2407.09533: the model p learns
``mu(x | s) = (1 - gamma) sum_j gamma^j P(s_{t+1+j} = x | s_t = s)``, either through its own Bellman equation
(a target network supplies what lies beyond the next n states) or from states of the same episode at geometric
offsets.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vidrep_pipelines.models.voc.config import TargetConfig, VocObjectiveConfig
from vidrep_pipelines.models.voc.gpt import Gpt
from vidrep_pipelines.models.voc.model import VocModel
from vidrep_pipelines.models.voc.sampling import sample_states
from vidrep_pipelines.training.inspection import evaluation_mode


@dataclass(frozen=True)
class OccupancyBatch:
    """B samples; states are (B, T) codes.

    Attributes:
        context: State at step t.
        following: State at step t + 1, for the reward head.
        reward: (B,) float, of the transition between them.
        target: State of the future that is predicted where ``bootstrap`` is not set.
        bootstrap: (B,) bool: predict a sample of the target network after ``target``, in place of it.
        action: (B, A) taken in ``context``, for a model that is conditioned on actions.
        target_action: (B, A) taken in ``target``, likewise.
    """

    context: Tensor
    following: Tensor
    reward: Tensor
    target: Tensor
    bootstrap: Tensor
    action: Tensor | None = None
    target_action: Tensor | None = None


@dataclass(frozen=True)
class OccupancyLosses:
    """Losses of a batch.

    Attributes:
        loss: What is minimized: the sum of the two below.
        occupancy: Mean negative log-likelihood of the tokens that count.
        reward: Mean squared error of rewards; none without a reward head.
        target: (B, T) states that were predicted.
        logits: (B, 2T - 1, V) of all tokens but the first.
        token_losses: (B, 2T - 1) negative log-likelihoods.
    """

    loss: Tensor
    occupancy: Tensor
    reward: Tensor | None
    target: Tensor
    logits: Tensor
    token_losses: Tensor

    def metrics(self) -> dict[str, Tensor]:
        """Detached scalars for the log."""
        T = self.target.shape[1]
        metrics = {
            "loss_occupancy": self.occupancy.detach(),
            "loss_target_tokens": self.token_losses[:, -T:].detach().mean(),
        }
        if T > 1:
            metrics["loss_context_tokens"] = self.token_losses[:, : T - 1].detach().mean()
        return metrics if self.reward is None else {**metrics, "loss_reward": self.reward.detach()}


def occupancy_objective(
    model: VocModel, batch: OccupancyBatch, uniforms: Tensor, config: VocObjectiveConfig
) -> OccupancyLosses:
    """Computes the losses of a batch.

    Args:
        model: Networks; the trained one's mode decides about its dropout.
        batch: The samples.
        uniforms: (B, T) float64 in [0, 1), from which the target network's samples are drawn.
        config: Target and losses.
    """
    source = model.target if config.ema_decay else model.gpt
    target = draw_targets(source, batch, uniforms, config.target)
    T = target.shape[1]
    sequence = torch.cat([batch.context, target], dim=1)
    logits = model.gpt(sequence[:, :-1], batch.action)
    token_losses = F.cross_entropy(logits.transpose(1, 2).float(), sequence[:, 1:], reduction="none")
    occupancy = (token_losses if config.loss_on == "all" else token_losses[:, -T:]).mean()
    reward = None
    if model.reward_head is not None:
        reward = F.mse_loss(model.rewards(batch.following).float(), batch.reward.float())
    loss = occupancy if reward is None else occupancy + reward
    return OccupancyLosses(loss, occupancy, reward, target, logits, token_losses)


@torch.no_grad()
def draw_targets(gpt: Gpt, batch: OccupancyBatch, uniforms: Tensor, config: TargetConfig) -> Tensor:
    """States (B, T) to predict. Only the rows that need a sample of the network get one."""
    if not config.bootstraps:
        return batch.target
    rows = batch.bootstrap.nonzero().squeeze(1)
    action = None if batch.target_action is None else batch.target_action[rows]
    arguments = (batch.target[rows], uniforms[rows, None])
    if config.dropout:
        gpt.train()
        sampled = sample_states(gpt, *arguments, action=action, top_k=config.top_k)
    else:
        with evaluation_mode(gpt):
            sampled = sample_states(gpt, *arguments, action=action, top_k=config.top_k)
    return batch.target.index_copy(0, rows, sampled[:, 0])
