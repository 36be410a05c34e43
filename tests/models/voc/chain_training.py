"""Trains a tiny occupancy model on a toy chain, by the task that full-size runs are trained by."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import default_collate

from vidrep_pipelines.evaluation.occupancy.markov_chain import ChainScores, MarkovChain, score_chain
from vidrep_pipelines.models.voc.config import GptConfig, TargetConfig, VocModelConfig, VocObjectiveConfig
from vidrep_pipelines.models.voc.model import VocModel
from vidrep_pipelines.models.voc.predictor import OccupancyPredictor
from vidrep_pipelines.models.voc.samples import OccupancySamples
from vidrep_pipelines.models.voc.task import VocTask
from vidrep_pipelines.models.voc.token_episodes import TokenEpisodes
from vidrep_pipelines.training.config import OptimizerConfig
from vidrep_pipelines.training.optimizer import build_optimizer, set_learning_rate
from vidrep_pipelines.training.schedule import learning_rate
from vidrep_pipelines.training.task import StepInfo

PEAK, WEIGHT_DECAY = 1e-3, 0.1


@dataclass(frozen=True)
class ChainRun:
    """How a chain is learned; the published comparison's by default."""

    target: TargetConfig
    updates: int = 2000
    batch_size: int = 64
    loss_on: str = "all"
    ema_decay: float = 0.9
    dropout: float = 0.0
    seed: int = 0


def chain_episodes(chain: MarkovChain) -> TokenEpisodes:
    """The recorded episodes as tokens; entering a state gives its reward."""
    shown = chain.shown()
    episodes, rows, tokens = shown.shape
    rewards = chain.reward[chain.states].astype(np.float32)
    rewards[:, 0] = 0
    return TokenEpisodes(
        codes=shown.reshape(-1, tokens).astype(np.int16),
        actions=np.zeros((episodes * rows, 0), np.float32),
        rewards=rewards.reshape(-1),
        discounts=np.ones(episodes * rows, np.float32),
        offsets=np.arange(episodes + 1, dtype=np.int64) * rows,
        names=tuple(f"episode_{number}" for number in range(episodes)),
        splits=("train",) * episodes,
        grid=(1, tokens),
        vocabulary=chain.vocabulary,
    )


def chain_task(chain: MarkovChain, run: ChainRun) -> VocTask:
    tokens = chain.codewords.shape[2]
    gpt = GptConfig(
        vocabulary=chain.vocabulary,
        positions=2 * tokens,
        layers=2,
        heads=4,
        width=64,
        residual_dropout=run.dropout,
        embedding_dropout=run.dropout,
        attention_dropout=run.dropout,
    )
    fields: dict[str, Any] = {"loss_on": run.loss_on, "ema_decay": run.ema_decay, "target": run.target}
    return VocTask(
        tokens=("unused.h5",),
        model=VocModelConfig(gpt=gpt, frame_stack=1, grid=(1, tokens), reward=None),
        objective=VocObjectiveConfig(**fields),
        seed=run.seed,
    )


def train_on_chain(chain: MarkovChain, run: ChainRun) -> VocModel:
    """Batches are drawn with replacement, as the published buffer does."""
    task = chain_task(chain, run)
    torch.manual_seed(run.seed)
    model = VocModel(task.model)
    samples = OccupancySamples(chain_episodes(chain), task.model, task.objective.target, run.seed)
    optimizer = build_optimizer(
        task.parameter_groups(model, WEIGHT_DECAY), OptimizerConfig(betas=(0.9, 0.999)), torch.device("cpu")
    )
    rng = np.random.default_rng(run.seed)
    for step in range(run.updates):
        rate = learning_rate(
            step, base=PEAK, minimum=0.0, epochs=run.updates, warmup_epochs=0.05 * run.updates
        )
        set_learning_rate(optimizer, rate)
        drawn = rng.integers(len(samples), size=run.batch_size).tolist()
        batch = default_collate([samples[step, index] for index in drawn])
        info = StepInfo(step, 0.0, torch.Tensor.detach)
        loss, _ = task.loss(model, batch, info)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        task.after_update(model, info)
    return model.eval()


def scores_of(chain: MarkovChain, run: ChainRun) -> ChainScores:
    predictor = OccupancyPredictor(train_on_chain(chain, run))
    return score_chain(chain, lambda contexts, futures: predictor.log_probabilities(contexts, futures).sum(1))
