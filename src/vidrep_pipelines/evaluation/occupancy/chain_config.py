"""Parameters of random Markov chains."""

from typing import Self

from pydantic import Field, model_validator

from vidrep_pipelines.common.config import FrozenConfig


class RandomChainConfig(FrozenConfig):
    """A family of chains; a seed picks one."""

    states: int = Field(6, ge=2, le=64)
    """States n; a cycle through all of them is always possible, so that every one is visited."""

    successors: int = Field(3, ge=1)
    """States that may follow a state."""

    concentration: float = Field(0.5, gt=0)
    """Concentration of the Dirichlet distribution of their probabilities. 1: all distributions are equally
    likely; less: one successor is mostly taken, so that states differ more in value."""

    least_visits: float = Field(0.3, ge=0, le=0.5)
    """How often the rarest state is visited in the long run at least, where 1 is as often as the others.
    Chains below are drawn again: what a model knows of a state that it hardly ever saw says little about the
    way in which it learned."""

    codewords: int = Field(1, ge=1, le=16)
    """Strings of tokens that a state is shown as; which one is drawn anew at every visit."""

    tokens: int = Field(3, ge=1, le=8)
    """Tokens T of a string."""

    vocabulary: int = Field(8, ge=2, le=64)
    """Different tokens."""

    gamma: float = Field(0.8, gt=0, lt=1)
    """Discount per step."""

    episodes: int = Field(120, ge=1)
    """Recorded episodes, the training data."""

    steps: int = Field(60, ge=1)
    """Steps of each."""

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        if self.successors > self.states:
            raise ValueError(f"successors={self.successors} is more than the {self.states} states")
        if self.vocabulary**self.tokens < self.states * self.codewords:
            raise ValueError(
                f"{self.tokens} tokens of a vocabulary of {self.vocabulary} cannot tell "
                f"{self.states * self.codewords} codewords apart"
            )
        return self
