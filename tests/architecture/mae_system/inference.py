"""A trained masked autoencoder at use."""

from pathlib import Path

import torch
from torch import Tensor

from tests.architecture.mae_system.config import MaeModelConfig
from tests.architecture.mae_system.model import MaeModel
from vidrep_pipelines.data.transforms import normalize
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.shared.trained import trained_model


class TrainedMae:
    """The encoder of a checkpoint of the catalog."""

    def __init__(self, folder: Path) -> None:
        checkpoint = Checkpoint.checked(folder)
        config = MaeModelConfig.model_validate(checkpoint.config)
        self.model = trained_model(MaeModel(config), checkpoint.state_dict())

    @torch.inference_mode()
    def embed(self, pictures: Tensor) -> Tensor:
        """Class tokens (N, E) of pictures (N, 3, S, S) uint8."""
        tokens: Tensor = self.model.encoder(normalize(pictures))
        return tokens[:, 0]
