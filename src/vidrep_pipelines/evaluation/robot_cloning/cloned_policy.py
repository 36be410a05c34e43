"""Cloned behavior as rollouts ask it: one action at a time, after what was seen last."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from vidrep_pipelines.common.arrays import FloatArray, SingleArray
from vidrep_pipelines.evaluation.robot_cloning.cloning_head import CloningHead, fused_history
from vidrep_pipelines.evaluation.robot_cloning.demonstrations import told_numbers
from vidrep_pipelines.evaluation.rollouts.protocol import Observation, PlanRequest

Look = Callable[[Sequence[Observation]], SingleArray]
"""Features (B, D) of what there is to see; D may be 0."""


@dataclass(frozen=True)
class HeadInput:
    """What a head is given beside features.

    Attributes:
        history: Frames whose features are seen.
        proprioception: Whether it is given what the robot feels.
        words: Which words of the instruction it is told about.
    """

    history: int
    proprioception: bool
    words: tuple[str, ...]

    def beside(self, state: SingleArray, instruction: str) -> SingleArray:
        """What stands behind the features of every step: (T, S) states, or none, and the instruction."""
        felt = state if self.proprioception else state[:, :0]
        told = np.tile(told_numbers(instruction, self.words), (len(state), 1))
        return np.concatenate([felt, told], axis=1).astype(np.float32)


class ClonedPolicy:
    """A head that acts: a ``ChunkPolicy`` of single actions, asked at every step.

    Args:
        head: Ready to act.
        look: Features of observations.
        given: What the head is given.
        device: Where the head is.
    """

    chunk_length = 1

    def __init__(self, head: CloningHead, look: Look, given: HeadInput, device: torch.device) -> None:
        self._head, self._look, self._given, self._device = head, look, given, device
        self._seen: dict[str, deque[SingleArray]] = {}

    @torch.inference_mode()
    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        """(B, 1, A): the mean action. An episode's first step forgets what was seen under its name."""
        features = self._look([request.observation for request in requests])
        rows = [self._row(request, own) for request, own in zip(requests, features, strict=True)]
        actions = self._head(torch.from_numpy(np.stack(rows)).to(self._device))
        chosen: FloatArray = actions.double().cpu().numpy()[:, None]
        return chosen

    def _row(self, request: PlanRequest, features: SingleArray) -> SingleArray:
        history = self._given.history
        if request.step == 0:
            self._seen[request.episode] = deque([features] * history, maxlen=history)
        else:
            self._seen[request.episode].append(features)
        state = np.asarray(request.observation.state, np.float32)[None]
        seen = fused_history(np.stack(self._seen[request.episode]))
        return np.concatenate([seen, self._given.beside(state, request.instruction)[0]])
