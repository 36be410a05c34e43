"""Parameters with which the comparison on Markov chains takes seconds."""

from typing import Any

from vidrep_pipelines.adapters.occupancy_chains_config import (
    ChainLearnerConfig,
    ChainNetworkConfig,
    OccupancyChainsConfig,
)
from vidrep_pipelines.evaluation.occupancy.chain_config import RandomChainConfig
from vidrep_pipelines.training.config import OptimizerConfig, TrainConfig

TINY = RandomChainConfig(states=3, successors=2, tokens=2, vocabulary=4, episodes=6, steps=9)
TRAIN = TrainConfig(steps=5, batch_size=4, optimizer=OptimizerConfig(learning_rate=1e-2, warmup_steps=1))
NETWORK = ChainNetworkConfig(layers=1, heads=1, width=8)

TINY_CHAINS: dict[str, Any] = {
    "fanout": {"engine": "serial"},
    "tracking": {"enabled": False},
    "occupancy_chains": {
        "kinds": {
            "one_codeword": {"states": 3, "tokens": 2, "vocabulary": 4, "episodes": 6, "steps": 9},
            "two_codewords": {"states": 3, "tokens": 2, "vocabulary": 4, "episodes": 6, "steps": 9},
        },
        "chains": 1,
        "seeds": 1,
        "network": {"layers": 1, "heads": 1, "width": 8},
        "train": {"steps": 4, "batch_size": 4, "optimizer": {"warmup_steps": 1}},
        "measurements": 2,
    },
}


def chains_config(**changes: Any) -> OccupancyChainsConfig:
    """Two ways of learning one tiny chain, twice each; fields may be changed."""
    fields: dict[str, Any] = {
        "kinds": {"plain": TINY},
        "learners": {
            "published": ChainLearnerConfig(top_k=2, target_dropout=True, dropout=0.1),
            "geometric": ChainLearnerConfig(target="geometric"),
        },
        "chains": 2,
        "seeds": 2,
        "network": NETWORK,
        "train": TRAIN,
    }
    return OccupancyChainsConfig(**{**fields, **changes})
