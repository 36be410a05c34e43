"""Soft actor-critic of stable-baselines3 (extra ``robots``), saved so that a killed training goes on."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import SAC

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.data.sources.dm_control.actor import Layers, linear_layers
from vidrep_pipelines.data.sources.dm_control.config import ControlTrainingConfig
from vidrep_pipelines.data.sources.dm_control.gymnasium import ControlGymnasium

_ARRAYS = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")

_log = logging.getLogger(__name__)


class SacTraining:
    """One training of a policy.

    Args:
        environment: The task.
        config: How it is trained.
        state: File from which it goes on, written every ``config.save_every`` actions.
        digest: Digest that a stored state must have for training to go on from it.
    """

    def __init__(
        self, environment: ControlGymnasium, config: ControlTrainingConfig, state: Path, digest: str
    ) -> None:
        self._config, self._state, self._digest = config, state, digest
        self._model: Any = SAC(
            "MlpPolicy",
            environment,
            learning_rate=config.learning_rate,
            buffer_size=config.steps,
            learning_starts=config.random_steps,
            batch_size=config.batch_size,
            gamma=config.discount,
            train_freq=config.updates_every,
            policy_kwargs={"net_arch": list(config.hidden)},
            seed=config.seed % 2**32,
            device="cpu",  # the networks are small
        )

    def run(self) -> None:
        """Trains to the end, from the saved state if there is one."""
        self._restore()
        while (left := self._config.steps - self._model.num_timesteps) > 0:
            self._model.learn(min(left, self._config.save_every), reset_num_timesteps=False)
            self._save()
            returns = [episode["r"] for episode in self._model.ep_info_buffer][-5:]
            mean = f", return {np.mean(returns):.0f}" if returns else ""
            _log.info("policy: %d of %d actions%s", self._model.num_timesteps, self._config.steps, mean)

    def layers(self) -> Layers:
        """Weights and biases of the actor; tanh of the last is the action without noise."""
        actor = self._model.actor
        return linear_layers([*actor.latent_pi, actor.mu])

    def action(self, state: NDArray[np.float32]) -> NDArray[np.float32]:
        """The library's own answer (A,) in a state (S,), without noise."""
        action: NDArray[np.float32] = self._model.predict(state, deterministic=True)[0]
        return action

    def _save(self) -> None:
        buffer = self._model.replay_buffer
        stored = {name: torch.from_numpy(getattr(buffer, name)[: buffer.pos]) for name in _ARRAYS}
        state = {
            "digest": self._digest,
            "steps": self._model.num_timesteps,
            "updates": self._model._n_updates,
            "parameters": self._model.get_parameters(),
            "entropy": self._model.log_ent_coef.detach(),
            "transitions": stored,
        }
        with atomic_file(self._state) as temporary:
            torch.save(state, temporary)

    def _restore(self) -> None:
        if not self._state.is_file():
            return
        state = torch.load(self._state, weights_only=True)
        if state["digest"] != self._digest or state["steps"] > self._config.steps:
            return
        model, buffer = self._model, self._model.replay_buffer
        model.set_parameters(state["parameters"])
        model.log_ent_coef.data.copy_(state["entropy"])
        model.num_timesteps, model._n_updates = state["steps"], state["updates"]
        for name, rows in state["transitions"].items():
            getattr(buffer, name)[: len(rows)] = rows.numpy()
            buffer.pos = len(rows)
        _log.info("policy: goes on after %d actions", model.num_timesteps)
