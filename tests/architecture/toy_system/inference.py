"""A trained toy system at use: loaded, and predicting colors."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file

from tests.architecture.toy_system.checkpoint_io import trained_model
from tests.architecture.toy_system.config import NextColorModelConfig
from tests.architecture.toy_system.model import NextColorModel, mean_color
from vidrep_pipelines.common.errors import InputError


@dataclass(frozen=True)
class TrainedNextColor:
    """A ``model`` in evaluation mode."""

    model: NextColorModel

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Loads ``config.json`` and ``model.safetensors``; InputError if they are of something else."""
        try:
            config = NextColorModelConfig.model_validate_json((folder / "config.json").read_text())
            state = load_file(folder / "model.safetensors")
        except (OSError, ValueError, SafetensorError) as error:
            raise InputError(f"{folder} holds no checkpoint of the toy system ({error}).") from error
        return cls(trained_model(config, state))

    @torch.inference_mode()
    def predict(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Frames (N, H, W, 3) to the mean colors (N, 3) of what follows them, nominally in 0..1."""
        colors: NDArray[np.float32] = self.model(mean_color(torch.from_numpy(frames).movedim(-1, 1))).numpy()
        return colors
