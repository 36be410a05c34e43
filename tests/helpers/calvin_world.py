"""Policies and makers for the evaluation on CALVIN's miniature; importable by other processes."""

import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.evaluation.calvin.miniature_expert import MiniatureExpert
from vidrep_pipelines.evaluation.calvin.tasks import calvin_task
from vidrep_pipelines.evaluation.rollouts.protocol import PlanRequest


class Unwilling(MiniatureExpert):
    """An expert that stands still when it is told one of these tasks."""

    def __init__(self, tasks: Sequence[str] = ()) -> None:
        super().__init__()
        self.requests: list[PlanRequest] = []
        self._refused = {calvin_task(name).instruction for name in tasks}

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        self.requests += requests
        chunks = super().plan(requests)
        refused = [request.instruction in self._refused for request in requests]
        return np.where(np.array(refused)[:, None, None], 0.0, chunks)


@dataclass(frozen=True)
class UnwillingMaker:
    """Makes such experts."""

    tasks: tuple[str, ...] = ()

    @property
    def identity(self) -> Mapping[str, Any]:
        return {"policy": "unwilling", "tasks": self.tasks, "noise": "none"}

    def make(self) -> Unwilling:
        return Unwilling(self.tasks)


@dataclass(frozen=True)
class MortalMaker(UnwillingMaker):
    """Kills its process the third time that it makes a policy; every time leaves a byte in a file."""

    count: str = ""
    lives: int = 2

    def make(self) -> Unwilling:
        with Path(self.count).open("ab") as file:
            file.write(b".")
        if Path(self.count).stat().st_size > self.lives:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().make()

    @property
    def identity(self) -> Mapping[str, Any]:
        return UnwillingMaker(self.tasks).identity
