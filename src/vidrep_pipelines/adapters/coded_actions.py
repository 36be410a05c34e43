"""What is left of a demonstrator's actions once they are encoded as those of a trained policy are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.evaluation.rollouts.protocol import ChunkPolicy, PlanRequest, PolicyMaker
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.policy.actions import ActionCoding
from vidrep_pipelines.models.vpp.policy.robot_policy import PublishedPolicyConfig
from vidrep_pipelines.models.vpp.policy.statistics import action_coding


class CodedPolicy:
    """Another policy, its actions encoded and decoded as those of a trained one are.

    Actions beyond the percentiles that normalize them are cut off, for instance. Who learned from cut off
    actions cannot do better than somebody who knows everything and has to execute them.

    Args:
        policy: What plans.
        coding: How the trained policy's actions are encoded.
    """

    def __init__(self, policy: ChunkPolicy, coding: ActionCoding) -> None:
        self._policy, self._coding = policy, coding

    @property
    def chunk_length(self) -> int:
        """Actions of a plan."""
        return self._policy.chunk_length

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        """(B, T, A) of what the other policy would do, as far as the trained one could."""
        plans = self._policy.plan(requests)
        states = [request.observation.state for request in requests]
        return np.stack(
            [
                self._coding.decode(self._coding.encode(plan, state), state)
                for plan, state in zip(plans, states, strict=True)
            ]
        )


@dataclass(frozen=True)
class CodedMaker:
    """Makes a :class:`CodedPolicy`.

    Attributes:
        demonstrator: Makes the policy whose actions are encoded.
        policy: Folder of the trained policy's checkpoint.
    """

    demonstrator: PolicyMaker
    policy: Path

    @property
    def identity(self) -> Mapping[str, Any]:
        """What it does."""
        return {
            "coded_as": Checkpoint.of(self.policy).digest,
            "demonstrator": dict(self.demonstrator.identity),
        }

    def make(self) -> CodedPolicy:
        """The policy.

        Raises:
            InputError: The checkpoint is no policy's.
        """
        learned = PublishedPolicyConfig.of(Checkpoint.of(self.policy))
        coding = action_coding(learned.items.actions, learned.statistics)
        return CodedPolicy(self.demonstrator.make(), coding)
