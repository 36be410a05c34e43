"""A policy in one attempt: a chunk of actions is held, and the next one is asked for when it is used up."""

from collections import deque

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig
from vidrep_pipelines.evaluation.rollouts.protocol import ChunkPolicy, Observation, PlanRequest


class PolicySession:
    """Hands out actions one by one.

    Args:
        config: How many of a chunk are executed, and the seed of the noise.

    Attributes:
        plans: Chunks of this attempt so far.
        step: Actions of this attempt so far.
    """

    def __init__(self, config: RolloutConfig) -> None:
        self._config = config
        self._actions: deque[FloatArray] = deque()
        self._episode, self._instruction = "", ""
        self.plans = self.step = 0

    def reset(self, episode: str, instruction: str) -> None:
        """Begins an attempt; what is left of the last chunk is dropped."""
        self._actions.clear()
        self._episode, self._instruction = episode, instruction
        self.plans = self.step = 0

    @property
    def wants_plan(self) -> bool:
        """Whether the next action needs a new chunk."""
        return not self._actions

    def request(self, observation: Observation) -> PlanRequest:
        """What the policy is asked now."""
        seed = seed_for(self._config.seed, self._episode, self.step)
        return PlanRequest(observation, self._instruction, self._episode, self.step, seed)

    def receive(self, chunk: FloatArray) -> None:
        """Takes a chunk (T, A) in place of what is left of the last one.

        Raises:
            ConfigurationError: It is shorter than what is to be executed of it.
            InputError: An action is not finite.
        """
        self._config.check_chunk(len(chunk))
        if not np.isfinite(chunk).all():
            raise InputError(
                f"{self._episode}: the policy planned actions that are not finite at step {self.step}. "
                "Remedy: look at its checkpoint and at the precision it runs in."
            )
        self._actions = deque(chunk[: self._config.execute_steps])
        self.plans += 1

    def next_action(self) -> FloatArray:
        """The next action (A,) of the chunk."""
        self.step += 1
        return self._actions.popleft()

    def act(self, policy: ChunkPolicy, observation: Observation) -> FloatArray:
        """The next action, planned where it has to be: for one robot alone."""
        if self.wants_plan:
            self.receive(policy.plan([self.request(observation)])[0])
        return self.next_action()
