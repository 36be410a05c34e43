"""A trained VQ-VAE in use: frames to codes, codes to frames, in pixels."""

import json
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
from vidrep_pipelines.data.transforms import normalize
from vidrep_pipelines.models.vqvae.checkpoint_io import trained_model
from vidrep_pipelines.models.vqvae.config import VqvaeDataConfig, VqvaeModelConfig
from vidrep_pipelines.models.vqvae.model import VqvaeModel
from vidrep_pipelines.models.vqvae.units import to_unit_range


@dataclass(frozen=True)
class TrainedVqvae:
    """Model and units. All methods work on the model's device, without gradients.

    Attributes:
        model: In evaluation mode.
        data: Mean and deviation of its pixels.
    """

    model: VqvaeModel
    data: VqvaeDataConfig

    @classmethod
    def load(cls, folder: Path, device: torch.device | str = "cpu") -> Self:
        """Loads a published checkpoint: ``config.json`` and ``model.safetensors``.

        Raises:
            InputError: The folder holds no checkpoint of a VQ-VAE.
        """
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            data = VqvaeDataConfig.model_validate(config["data"])
            model = VqvaeModelConfig.model_validate(config["model"])
            state = load_file(folder / "model.safetensors")
        except (OSError, ValueError, KeyError, TypeError, ValidationError, SafetensorError) as error:
            raise InputError(
                f"{folder} holds no checkpoint of a VQ-VAE ({error}). Remedy: run pretrain_vqvae."
            ) from error
        return cls(trained_model(model, state).to(device), data)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    def standardized(self, frames: NDArray[np.uint8]) -> Tensor:
        """Frames ([B,] T, H, W, 3) as images ([B,] T, 3, H, W) in the network's units."""
        pixels = torch.from_numpy(frames).to(self.device).movedim(-1, -3)
        return normalize(pixels, self.data.mean, self.data.std)

    @torch.inference_mode()
    def encode(self, frames: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
        """Frames ([B,] T, H, W, 3) to codes ([B,] T, h, w) int64, and latents ([B,] T, D, h, w)."""
        latents = self.model.latents(self.standardized(frames))
        return self.model.quantize(latents).codes, latents

    @torch.inference_mode()
    def reconstruct(self, frames: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
        """Clips (B, T, H, W, 3) through the codes and back.

        Returns:
            (B, T, 3, H, W) float32, nominally in 0..1 and unclamped; codes (B, T, h, w).
        """
        outputs = self.model(self.standardized(frames))
        return to_unit_range(outputs.reconstruction, self.data), outputs.quantized.codes

    @torch.inference_mode()
    def decode(self, codes: NDArray[np.integer]) -> Tensor:
        """Codes (B, T, h, w) to clips (B, T, 3, H, W) float32, nominally in 0..1 and unclamped.

        In float32 the result is to the bit what :meth:`reconstruct` gives for the same clips together.

        Raises:
            InputError: A code is not in the codebook, or the codes are no clips.
        """
        size = self.model.quantizer.size
        if codes.ndim != 4:
            raise InputError(f"Codes of clips are (B, T, h, w), not {codes.shape}.")
        if codes.size and not 0 <= codes.min() <= codes.max() < size:
            raise InputError(f"Codes {codes.min()}..{codes.max()} are not those of a codebook of {size}.")
        clips = self.model.decode_codes(torch.from_numpy(codes.astype(np.int64)).to(self.device))
        return to_unit_range(clips, self.data)
