"""A policy that answers questions of any protocol: checked, queued, planned, counted."""

import asyncio
import time
from dataclasses import dataclass

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.evaluation.rollouts.protocol import ChunkPolicy, Observation, PlanRequest
from vidrep_pipelines.serving.config import ServingConfig
from vidrep_pipelines.serving.metrics import ServiceMetrics
from vidrep_pipelines.serving.planning import PlanningThread
from vidrep_pipelines.serving.questions import Question, RefusedError, checked_question


@dataclass(frozen=True, eq=False)
class Answer:
    """A chunk for an observation.

    Attributes:
        actions: (T, A).
        time_stamp: Of the observation, as it was given.
        seconds: From the question to the chunk, the queue included.
        batch: Requests that were planned in the same call.
    """

    actions: FloatArray
    time_stamp: float
    seconds: float
    batch: int


class PolicyService:
    """What all protocols ask.

    Args:
        policy: What plans; called by one thread alone.
        identity: Tells this policy from others: a digest or a name.
        config: Bounds, batches and noise.

    Attributes:
        identity: As given.
        config: As given.
        metrics: What is counted.
    """

    def __init__(self, policy: ChunkPolicy, identity: str, config: ServingConfig) -> None:
        self.identity, self.config = identity, config
        self._planning = PlanningThread(policy, config.batching, config.bounds.waiting)
        self.metrics = ServiceMetrics(lambda: self._planning.waiting, config.log_seconds)

    @property
    def chunk_length(self) -> int:
        """Actions of a plan."""
        return self._planning.chunk_length

    async def answer(self, question: Question, protocol: str, seed: int | None = None) -> Answer:
        """Plans.

        Args:
            question: What is asked.
            protocol: Who asks, for the metrics.
            seed: Of the noise; none: follows from the service's seed, the episode and the step.

        Raises:
            RefusedError: The question is wrong or exceeds the bounds (4xx), or the service cannot (5xx).
        """
        began = time.perf_counter()
        checked_question(question, self.config.bounds)
        if seed is None:
            seed = seed_for(self.config.seed, question.episode, question.step)
        observation = Observation(question.pictures, question.state)
        request = PlanRequest(observation, question.instruction, question.episode, question.step, seed)
        future = asyncio.wrap_future(self._planning.submit(request))
        try:
            planned = await asyncio.wait_for(future, self.config.bounds.plan_seconds)
        except TimeoutError:
            raise RefusedError(504, "The plan took too long.") from None
        seconds = time.perf_counter() - began
        self.metrics.planned(protocol, seconds, planned.batch)
        return Answer(planned.actions, question.time_stamp, seconds, planned.batch)

    def close(self) -> None:
        """Ends the planning thread and logs the last latencies."""
        self._planning.close()
        self.metrics.log_latencies()
