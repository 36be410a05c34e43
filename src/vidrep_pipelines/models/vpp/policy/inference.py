"""A trained policy at use: a chunk of actions for what a video model sees and what the robot is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from pydantic import ValidationError
from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.shared.trained import trained_model
from vidrep_pipelines.models.vpp.policy.config import ActionSamplingConfig, PolicyModelConfig
from vidrep_pipelines.models.vpp.policy.denoiser import PolicyContext
from vidrep_pipelines.models.vpp.policy.model import PolicyModel
from vidrep_pipelines.models.vpp.policy.noise_schedules import policy_noise_levels
from vidrep_pipelines.models.vpp.policy.samplers import sample_actions
from vidrep_pipelines.models.vpp.policy.solver_steps import DrawNoise, denoised_at, draws_of


def load_policy_model(checkpoint: Checkpoint) -> PolicyModel:
    """The model of a checkpoint of the catalog in evaluation mode.

    The configuration has the part ``model``.

    Raises:
        InputError: It is no checkpoint of a policy.
    """
    return trained_model(PolicyModel(policy_config(checkpoint)), checkpoint.state_dict())


def policy_config(checkpoint: Checkpoint) -> PolicyModelConfig:
    """The architecture of a checkpoint of the catalog.

    Raises:
        InputError: It is no checkpoint of a policy.
    """
    try:
        return PolicyModelConfig.model_validate(checkpoint.config["model"])
    except (KeyError, TypeError, ValidationError) as error:
        raise InputError(
            f"{checkpoint.directory} holds no checkpoint of a policy ({error}). Remedy: run "
            "pretrain_vpp_policy."
        ) from error


def sample_chunk(
    model: PolicyModel,
    context: PolicyContext,
    start: Tensor,
    config: ActionSamplingConfig,
    noise: DrawNoise | None = None,
) -> Tensor:
    """A chunk of actions (B, A, a) for each context.

    Args:
        model: In evaluation mode.
        context: From :meth:`PolicyModel.context`; read once for all steps.
        start: (B, A, a) standard normal noise.
        config: Sampler, schedule and noise levels.
        noise: Fresh noise, for samplers that add some on their way.

    Raises:
        ConfigurationError: The noise levels do not fall, or the sampler needs noise.
    """
    levels = policy_noise_levels(config.schedule, config.steps, config.sigma_min, config.sigma_max)
    denoise = denoised_at(lambda noisy, sigma: model.denoise(noisy, sigma, context))
    return sample_actions(denoise, start * config.sigma_max, levels, config.sampler, noise)


@dataclass(frozen=True)
class ActionPredictor:
    """A trained policy, its features given.

    Attributes:
        model: In evaluation mode.
        sampling: How actions are made from noise.
    """

    model: PolicyModel
    sampling: ActionSamplingConfig

    @classmethod
    def load(
        cls,
        checkpoint: Path,
        sampling: ActionSamplingConfig | None = None,
        device: torch.device | str = "cpu",
    ) -> Self:
        """Loads a policy from its folder in the catalog.

        Args:
            checkpoint: ``config.json``, ``model.safetensors`` and ``meta.json``.
            sampling: How actions are made. None: as when the policy was measured in its training.
            device: Where to compute.

        Raises:
            InputError: The folder holds something else.
        """
        trained = Checkpoint.of(checkpoint)
        measured = ActionSamplingConfig.model_validate(trained.config.get("sampling", {}))
        return cls(load_policy_model(trained).to(device), sampling or measured)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    @torch.inference_mode()
    def act(
        self, features: Tensor, goal: Tensor, seeds: Sequence[int], state: Tensor | None = None
    ) -> Tensor:
        """Chunks of actions.

        Args:
            features: (B, F, N, C) of the video model.
            goal: (B, 1, G).
            seeds: One for each; a chunk depends on nothing but what it is for and its seed.
            state: (B, 1, S), for policies that see it.

        Returns:
            (B, A, a) in single precision on the model's device. They are about from -1 to 1, but not clipped.

        Raises:
            InputError: An input is missing, not asked for, or of another size.
        """
        if not len(features) == len(goal) == len(seeds):
            raise InputError(
                f"There are features of {len(features)} observations, {len(goal)} goals and {len(seeds)} "
                "seeds. Remedy: give one of each for every chunk."
            )
        place, sizes = next(self.model.parameters()), self.model.config.denoiser
        moved = None if state is None else state.to(place)
        context = self.model.context(features.to(place), goal.to(place), moved)
        draw = draws_of(seeds, (sizes.chunk, sizes.actions), place)
        return sample_chunk(self.model, context, draw(), self.sampling, draw).float()
