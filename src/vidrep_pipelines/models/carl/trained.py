"""A trained CARL in use: the frames of a video to their embeddings."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.carl.checkpoint_io import trained_model
from vidrep_pipelines.models.carl.config import CarlDataConfig, CarlModelConfig
from vidrep_pipelines.models.carl.embed import embed_frames
from vidrep_pipelines.models.carl.embedding_config import EmbeddingConfig
from vidrep_pipelines.models.carl.frame_fitting import fit_frames
from vidrep_pipelines.models.carl.model import CarlModel

ReadPictures = Callable[[NDArray[np.int64]], NDArray[np.uint8]]
"""Frames (N, H, W, 3) of N ascending ranks, of any size."""


@dataclass(frozen=True)
class TrainedCarl:
    """Model, and how frames are given to it.

    Attributes:
        model: In evaluation mode.
        data: The crop outside of training, and the distance of context frames.
    """

    model: CarlModel
    data: CarlDataConfig

    @classmethod
    def load(cls, folder: Path, device: torch.device | str = "cpu") -> Self:
        """Loads a published checkpoint: ``config.json`` and ``model.safetensors``.

        Raises:
            InputError: The folder holds no checkpoint of CARL.
        """
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            data = CarlDataConfig.model_validate(config["data"])
            model = CarlModelConfig.model_validate(config["model"])
            state = load_file(folder / "model.safetensors")
        except (OSError, ValueError, KeyError, TypeError, ValidationError, SafetensorError) as error:
            raise InputError(
                f"{folder} holds no checkpoint of CARL ({error}). Remedy: run pretrain_carl."
            ) from error
        return cls(trained_model(model, state).to(device), data)

    def embed(self, read: ReadPictures, length: int, config: EmbeddingConfig) -> NDArray[np.float32]:
        """Embeds all frames of a video.

        Args:
            read: Gives the frames.
            length: L, frames of the video.
            config: How the video is cut.

        Returns:
            (L, D) float32.

        Raises:
            InputError: The video is empty, or its frames are smaller than the crop.
        """
        size, crop = self.model.config.image_size, self.data.evaluation_crop

        def fitted(ranks: NDArray[np.int64]) -> Tensor:
            return fit_frames(read(ranks), size, crop)

        stride = self.data.sampling.context_stride
        embeddings: NDArray[np.float32] = embed_frames(self.model, fitted, length, config, stride).numpy()
        return embeddings
