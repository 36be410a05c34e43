"""The frozen networks that a loss compares by, built when a weight asks for them."""

from pathlib import Path

import torch
from torch import nn

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.layers import action_features, perceptual_distance
from vidrep_pipelines.models.layers.action_features import ActionFeatures
from vidrep_pipelines.models.layers.perceptual_distance import PerceptualDistance
from vidrep_pipelines.models.vqvae.config import LossFiles, VqvaeObjectiveConfig
from vidrep_pipelines.models.vqvae.objective import LossNetworks

_STAND_IN_SEED = 7
_STAND_IN_WIDTHS = (16, 32, 64, 64, 64)


def load_loss_networks(
    config: VqvaeObjectiveConfig, files: LossFiles, device: torch.device | str
) -> LossNetworks:
    """Builds what the weights ask for, in evaluation mode.

    Raises:
        ConfigurationError: A file is needed and not named.
        InputError: A file is absent, or holds another network.
    """
    features = None
    if config.needs_action_features:
        path = _needed(files.action_features, "action_features", "fvd weights", action_features.HOW_TO_GET)
        features = ActionFeatures.load(path).to(device)
    return LossNetworks(perceptual=_perceptual(config, files, device), action_features=features)


def _perceptual(
    config: VqvaeObjectiveConfig, files: LossFiles, device: torch.device | str
) -> nn.Module | None:
    if not config.perceptual_weight:
        return None
    if config.perceptual_network == "random":
        return PerceptualDistance.random(_STAND_IN_SEED, _STAND_IN_WIDTHS).to(device).eval()
    help_text = (
        perceptual_distance.HOW_TO_GET + " Without them: perceptual_weight 0, or perceptual_network random."
    )
    trunk = _needed(files.perceptual_trunk, "perceptual_trunk", "perceptual_weight", help_text)
    heads = _needed(files.perceptual_heads, "perceptual_heads", "perceptual_weight", help_text)
    return PerceptualDistance.load(trunk, heads).to(device).eval()


def _needed(path: Path | None, field: str, weight: str, help_text: str) -> Path:
    if path is None:
        raise ConfigurationError(f"{weight} above zero needs the file {field}, which is not set. {help_text}")
    return path
