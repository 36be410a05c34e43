"""A trained VQ-VAE at use: loaded, codes of whole episodes extracted, an encoder of images."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.codes import code_shard
from vidrep_pipelines.data.frame_store.contiguous import OpenArrays, StoredRows
from vidrep_pipelines.data.frame_store.film_frames import open_frames
from vidrep_pipelines.data.frame_store.shard import FRAMES, SHARD_SUFFIX, VERSION_STAMP
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.transforms import normalize
from vidrep_pipelines.fanout.devices import device_of_item
from vidrep_pipelines.models.shared.catalog_checkpoint import WEIGHTS
from vidrep_pipelines.models.shared.trained import loaded_once, read_checkpoint, trained_model
from vidrep_pipelines.models.shared.units import to_unit_range
from vidrep_pipelines.models.shared.weight_file import write_weights
from vidrep_pipelines.models.vqvae.checkpoint_io import (
    infer_model_config,
    load_into,
    read_original,
    without_discriminator,
)
from vidrep_pipelines.models.vqvae.config import (
    LatentExtractionConfig,
    OriginalVqvaeConfig,
    VqvaeDataConfig,
    VqvaeModelConfig,
)
from vidrep_pipelines.models.vqvae.model import VqvaeModel


@dataclass(frozen=True)
class TrainedVqvae:
    """Model and units. All methods work on the model's device, without gradients.

    Attributes:
        model: The model in evaluation mode.
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
        data, config, state = read_checkpoint(
            folder, VqvaeDataConfig, VqvaeModelConfig, system="a VQ-VAE", pipeline="pretrain_vqvae"
        )
        return cls(trained_model(VqvaeModel(config), without_discriminator(state)).to(device), data)

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


def write_original_vqvae(original: OriginalVqvaeConfig, folder: Path) -> dict[str, Any]:
    """Writes the weights of a checkpoint of the original code as ours: ``folder/model.safetensors``.

    Returns:
        The configuration that a checkpoint of the catalog has beside them: ``model`` and ``data``.

    Raises:
        ConfigurationError: No file is named.
        InputError: The file cannot be read, or holds another network.
    """
    if original.path is None:
        raise ConfigurationError(
            "vqvae_original.path names no checkpoint of the original code. Remedy: set VIDREP_VQVAE, or run "
            "eval_reconstruction, which trains a model of its own."
        )
    state, noted = read_original(original.path)
    config = infer_model_config(state, image_size=original.image_size, unpublished=noted)
    model = VqvaeModel(config)
    load_into(model, state, str(original.path))
    write_weights(model.state_dict(), folder / WEIGHTS)
    units = {name: noted.get(name, getattr(original, name)) for name in ("mean", "std")}
    data = VqvaeDataConfig.model_validate({**units, "clip_frames": 12 if config.needs_clips else 1})
    return {"model": config.model_dump(mode="json"), "data": data.model_dump(mode="json")}


@dataclass(frozen=True)
class CodeExtractionRequest:
    """What extracting the codes of one shard needs.

    Attributes:
        checkpoint: Folder of the published checkpoint.
        version: Digest of its weights, so that a process that outlives a training never uses the old ones.
        store: Folder of the frame store.
        shard: Path of the shard below it.
        frames_digest: Version of the shard.
        config: What to keep, and how.
        device: ``cpu``, or ``cuda`` for any of the machine's GPUs.
        number: The shard's number; it deals shards to GPUs.
    """

    checkpoint: Path
    version: str
    store: Path
    shard: str
    frames_digest: str
    config: LatentExtractionConfig
    device: str
    number: int

    @property
    def id(self) -> str:
        """Path of the shard below the store, without suffix."""
        return self.shard.removesuffix(SHARD_SUFFIX)

    @property
    def digest(self) -> str:
        """Changes with the frames, the weights and what is kept, and not with the device."""
        return digest_of(self.version, self.frames_digest, self.config)


def code_extraction_requests(
    checkpoint: Path, version: str, store: FrameStore, config: LatentExtractionConfig, device: str
) -> list[CodeExtractionRequest]:
    """What to encode, one request per shard.

    Args:
        checkpoint: Folder of the published checkpoint.
        version: Digest of its weights.
        store: The frames.
        config: What to keep, and how.
        device: ``cpu``, or ``cuda`` for any of the machine's GPUs.
    """
    folders = checkpoint.absolute(), store.folder.absolute()
    return [
        CodeExtractionRequest(folders[0], version, folders[1], shard, digest, config, device, number)
        for number, (shard, digest) in enumerate(sorted(store.facts.shards.items()))
    ]


def extract_shard(request: CodeExtractionRequest, outputs: Mapping[str, Path]) -> dict[str, int]:
    """Encodes every frame of a shard in the order in which they are stored.

    Args:
        request: The shard.
        outputs: Where the codes (".h5") go.

    Returns:
        One row: frames, and how many different codes occur.

    Raises:
        InputError: The shard or the checkpoint cannot be read, or they are of different sizes.
    """
    device = device_of_item(request.device, request.number)
    trained = loaded_once(TrainedVqvae.load, request.checkpoint, request.version, device)
    frames = _frames(request)
    total, config = frames.shape[0], trained.model.config
    used = torch.zeros(config.codebook.size, dtype=torch.bool)
    shape = tuple(side // config.downsampling for side in frames.shape[1:3])
    channels = config.codebook.dimension if request.config.latents else None
    with code_shard(
        outputs[SHARD_SUFFIX], total, (shape[0], shape[1]), request.frames_digest, channels
    ) as writer:
        for start in range(0, total, request.config.batch_size):
            stop = min(start + request.config.batch_size, total)
            codes, latents = (part.cpu() for part in trained.encode(frames.read(start, stop)))
            used[codes.flatten()] = True
            writer.append(codes.numpy(), latents.numpy() if request.config.latents else None)
    frames.close()
    return {"frames": total, "codes_used": int(used.sum())}


def _frames(request: CodeExtractionRequest) -> StoredRows:
    versions = {request.shard: request.frames_digest}
    return OpenArrays(request.store, FRAMES, VERSION_STAMP, versions, open_frames)[request.shard]


class FrameLatents(nn.Module):
    """The latents of single images, as the codebook sees them.

    Args:
        model: The model in evaluation mode.
    """

    def __init__(self, model: VqvaeModel) -> None:
        super().__init__()
        self.model = model

    @property
    def stride(self) -> int:
        """Pixels between positions of the latents."""
        return self.model.config.downsampling

    def forward(self, images: Tensor) -> Tensor:
        """Standardized images (B, 3, H, W) to latents (B, D, H / stride, W / stride)."""
        return self.model.latents(images)
