"""Parameters of the comparison of occupancy models on Markov chains."""

from typing import Self

from pydantic import Field, model_validator

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.evaluation.occupancy.chain_config import RandomChainConfig
from vidrep_pipelines.models.voc.config import TargetConfig, TargetKind
from vidrep_pipelines.training.config import TrainConfig


class ChainLearnerConfig(FrozenConfig):
    """What a model is trained on; the discount is the chain's."""

    target: TargetKind = "td"
    """The target, as in :class:`~vidrep_pipelines.models.voc.config.TargetConfig`."""

    steps: int = Field(1, ge=1)
    """n of ``n_step``."""

    top_k: int | None = Field(None, ge=1)
    """Most likely tokens among which the target network draws; None: all."""

    target_dropout: bool = False
    """Leave dropout on in the target network, as released."""

    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout of the network, in all places."""

    @model_validator(mode="after")
    def _check_target(self) -> Self:
        self.target_config(0.5)
        return self

    def target_config(self, gamma: float) -> TargetConfig:
        """The target for a chain of this discount."""
        return TargetConfig(
            kind=self.target, steps=self.steps, gamma=gamma, top_k=self.top_k, dropout=self.target_dropout
        )


class ChainNetworkConfig(FrozenConfig):
    """Sizes of the GPT, the same for every way of learning."""

    layers: int = Field(2, ge=1)
    """Transformer blocks."""

    heads: int = Field(4, ge=1)
    """Attention heads."""

    width: int = Field(64, ge=1)
    """Channels of a token, a multiple of ``heads``."""

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width={self.width} is no multiple of heads={self.heads}")
        return self


class ChainRunConfig(FrozenConfig):
    """One model trained on one chain."""

    learner: ChainLearnerConfig
    """What it is trained on."""

    network: ChainNetworkConfig = ChainNetworkConfig()
    """Its sizes."""

    train: TrainConfig
    """Updates, batch and optimizer."""

    measurements: int = Field(8, ge=1)
    """How often it is scored while it is trained; the end always is."""


class OccupancyChainsConfig(FrozenConfig):
    """Every kind of chain, learned in every way, from every seed."""

    kinds: dict[str, RandomChainConfig] = Field(min_length=1)
    """Families of chains by name."""

    learners: dict[str, ChainLearnerConfig] = Field(min_length=1)
    """Ways of learning by name."""

    reference: str = "published"
    """The one that the others are compared with."""

    chains: int = Field(3, ge=1)
    """Chains of each kind."""

    seeds: int = Field(3, ge=1)
    """Models per chain and way; they differ in initial weights and all draws."""

    network: ChainNetworkConfig = ChainNetworkConfig()
    """Sizes of all models."""

    train: TrainConfig
    """Updates, batch and optimizer of all models; the seed is the first one's."""

    measurements: int = Field(8, ge=1)
    """How often a model is scored while it is trained; the end always is."""

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        if self.train.steps is None:
            raise ValueError("chains are learned for a number of updates: set train.steps, not train.epochs")
        if self.reference not in self.learners:
            raise ValueError(f"reference={self.reference!r} is none of the learners {sorted(self.learners)}")
        for name in (*self.kinds, *self.learners):
            if "/" in name:
                raise ValueError(f"the name {name!r} must not contain a slash")
        return self
