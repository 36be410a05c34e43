"""Trains an occupancy model on a Markov chain by the shared loop, and scores it exactly."""

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file

from vidrep_pipelines.adapters.occupancy_chains_config import ChainRunConfig, OccupancyChainsConfig
from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.data.token_episodes.episodes import TokenEpisodes
from vidrep_pipelines.data.token_episodes.file import write_token_episodes
from vidrep_pipelines.evaluation.occupancy.chain_config import RandomChainConfig
from vidrep_pipelines.evaluation.occupancy.markov_chain import ChainScores, MarkovChain, score_chain
from vidrep_pipelines.evaluation.occupancy.random_chain import random_chain
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job, Scalar
from vidrep_pipelines.models.voc.config import GptConfig, VocModelConfig, VocObjectiveConfig
from vidrep_pipelines.models.voc.inference import OccupancyPredictor
from vidrep_pipelines.models.voc.model import VocModel
from vidrep_pipelines.models.voc.task import VocTask
from vidrep_pipelines.training.checkpoint import AVERAGE_FILE, MODEL_FILE, list_checkpoints
from vidrep_pipelines.training.config import LaunchConfig, TrainSpec
from vidrep_pipelines.training.loop import run_training

CURVE_SUFFIX = ".parquet"

_LEARNING = 1
"""Version of what equal runs lead to: raised when the code that trains or scores changes its results."""


@dataclass(frozen=True)
class ChainItem:
    """What a worker needs to train one model.

    Attributes:
        chain: Family of the chain.
        chain_seed: Which of the family.
        run: How it is learned.
    """

    chain: RandomChainConfig
    chain_seed: int
    run: ChainRunConfig


def chain_job(config: OccupancyChainsConfig, fanout: FanOutConfig) -> Job:
    """One item per chain, way of learning and seed: a model that is trained and scored."""
    items = [
        _chain_item(config, kind, number, name, seed)
        for kind in config.kinds
        for number in range(config.chains)
        for name in config.learners
        for seed in range(config.seeds)
    ]
    return Job("occupancy chains", learn_chain, items, (CURVE_SUFFIX,), fanout)


def _chain_item(config: OccupancyChainsConfig, kind: str, number: int, name: str, seed: int) -> Item:
    chain = config.kinds[kind]
    run = ChainRunConfig(
        learner=config.learners[name],
        network=config.network,
        train=config.train.model_copy(update={"seed": config.train.seed + seed}),
        measurements=config.measurements,
    )
    identity = (chain, number, run.model_dump(exclude={"train"}), run.train.identity())
    payload = ChainItem(chain, number, run)
    return Item(f"{kind}/{number}/{name}/{seed}", payload, digest_of(_LEARNING, *identity))


def learn_chain(item: ChainItem, outputs: Mapping[str, Path]) -> dict[str, Scalar]:
    """Writes the scores at every measured update as a table; the facts are those at the end."""
    curve = train_on_chain(random_chain(item.chain, item.chain_seed), item.run)
    rows = pd.DataFrame([{"update": update, **asdict(scores)} for update, scores in curve.items()])
    with atomic_file(outputs[CURVE_SUFFIX]) as temporary:
        rows.to_parquet(temporary, index=False)
    return asdict(curve[max(curve)])


def train_on_chain(chain: MarkovChain, run: ChainRunConfig) -> dict[int, ChainScores]:
    """Scores of a model by the number of updates that it was trained for.

    What is scored are the trained weights or, with ``train.ema_decay``, their average.
    """
    assert run.train.steps is not None, "the configuration asks for a number of updates"
    often = {
        "checkpoint_every_steps": max(1, run.train.steps // run.measurements),
        "keep_checkpoints": run.measurements + 1,
        "log_every_steps": run.train.steps,
    }
    with tempfile.TemporaryDirectory(prefix="vidrep-chain-") as name:
        folder = Path(name)
        write_token_episodes(folder / "tokens.h5", chain_episodes(chain))
        task = chain_task(chain, folder / "tokens.h5", run)
        spec = TrainSpec.of(
            task,
            train=run.train.model_copy(update=often),
            launch=LaunchConfig(device="cpu", loader_workers=0, threads_per_process=1),
            run_directory=folder / "run",
            report_directory=folder / "reports",
        )
        run_training(spec)
        checkpoints = list_checkpoints(folder / "run" / "checkpoints")[::-1]
        return {_updates(path): _score(chain, task, path) for path in checkpoints}


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


def chain_task(chain: MarkovChain, tokens: Path, run: ChainRunConfig) -> VocTask:
    """The task of a run on the file of the chain's episodes; a state is one frame, without a reward head."""
    learner, T = run.learner, chain.codewords.shape[2]
    gpt = GptConfig(
        vocabulary=chain.vocabulary,
        positions=2 * T,
        **run.network.model_dump(),
        residual_dropout=learner.dropout,
        embedding_dropout=learner.dropout,
        attention_dropout=learner.dropout,
    )
    return VocTask(
        tokens=(tokens,),
        model=VocModelConfig(gpt=gpt, frame_stack=1, grid=(1, T), reward=None),
        objective=VocObjectiveConfig(target=learner.target_config(chain.gamma)),
        seed=run.train.seed,
    )


def _updates(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("step-"))


def _score(chain: MarkovChain, task: VocTask, checkpoint: Path) -> ChainScores:
    with torch.device("meta"):  # draws no initial weights, which would move torch's global generator
        model = VocModel(task.model)
    state = load_file(checkpoint / MODEL_FILE)
    if (checkpoint / AVERAGE_FILE).is_file():
        state |= load_file(checkpoint / AVERAGE_FILE)
    model.load_state_dict(state, assign=True)
    predictor = OccupancyPredictor(model)
    return score_chain(chain, lambda contexts, futures: predictor.log_probabilities(contexts, futures).sum(1))
