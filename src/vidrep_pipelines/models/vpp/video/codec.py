"""What turns frames into latents and back: the autoencoder of Stable Video Diffusion, or a linear basis."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from einops import rearrange
from torch import Tensor, nn

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.shared.trained import load_strictly
from vidrep_pipelines.models.vpp.video.codec_config import CodecConfig

CODEC, VAE = "codec", "vae"
"""Entries of the checkpoint's configuration: ours, and that of the autoencoder as diffusers has it."""


class Codec(Protocol):
    """Frames to latents and back. Latents are scaled to about unit variance, as they are stored."""

    channels: int
    """Channels C of the latents."""

    factor: int
    """Pixels on a side of what one position of the latents describes."""

    condition_scale: float
    """The network's condition is the latent of the first frame divided by this (equation in ``model.py``)."""

    digest: str
    """Changes with the weights and with all that determines latents and frames."""

    def encode(self, pictures: Tensor, seeds: Tensor | None = None) -> Tensor:
        """Pictures (N, 3, H, W) in -1..1 to latents (N, C, H / factor, W / factor) in float32.

        Args:
            pictures: On the codec's device.
            seeds: (N,) int64, for a sample of the posterior with each picture's own noise. None: the mode.
                Without effect where there is no posterior.

        Raises:
            InputError: The pictures' sides are no multiples of the factor.
        """

    def decode(self, latents: Tensor, frames: int | None = None) -> Tensor:
        """Latents (N, C, h, w) to pictures (N, 3, H, W), nominally in -1..1 and unclamped, in float32.

        Args:
            latents: Of whole videos, one after the other.
            frames: Frames of each video; a decoder that looks at neighbors in time stays inside it. None: all
                are of one video; so the original decodes a whole batch, where frames at the seams of
                videos depend on one another.

        Raises:
            InputError: The result is not finite, or the latents are not those of this codec.
        """


class LinearCodec(nn.Module):
    """Principal components of blocks of pixels, each scaled to unit variance over the training frames.

    ``z = B (x - m) / s`` with orthonormal rows of B, so that ``x = m + B' (s z)`` is the best reconstruction.

    Args:
        config: Sizes.
        digest: Of the weights that will be loaded.
    """

    mean: Tensor
    """m, (D,) with D = 3 * factor * factor."""

    basis: Tensor
    """B, (C, D)."""

    deviation: Tensor
    """s, (C,)."""

    def __init__(self, config: CodecConfig, digest: str = "") -> None:
        super().__init__()
        size = 3 * config.factor**2
        self.channels, self.factor, self.condition_scale, self.digest = (
            config.channels,
            config.factor,
            1.0,
            digest,
        )
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("basis", torch.eye(config.channels, size))
        self.register_buffer("deviation", torch.ones(config.channels))

    def encode(self, pictures: Tensor, seeds: Tensor | None = None) -> Tensor:
        """See :meth:`Codec.encode`."""
        del seeds  # there is no posterior
        blocks = space_to_depth(pictures.float(), self.factor) - self.mean[:, None, None]
        latents = torch.einsum("cd,ndhw->nchw", self.basis, blocks)
        return latents / self.deviation[:, None, None]

    def decode(self, latents: Tensor, frames: int | None = None) -> Tensor:
        """See :meth:`Codec.decode`."""
        del frames  # every frame on its own
        _require_channels(latents, self.channels)
        scaled = latents.float() * self.deviation[:, None, None]
        blocks = torch.einsum("cd,nchw->ndhw", self.basis, scaled) + self.mean[:, None, None]
        return _finite(depth_to_space(blocks, self.factor))


class VaeCodec(nn.Module):
    """diffusers' ``AutoencoderKLTemporalDecoder``; encodes and decodes in float32 whatever surrounds it.

    In half precision its activations overflow, and pictures come out black: float16 weights are cast up.

    Args:
        config: Frames decoded at once.
        vae: The configuration of the autoencoder, as diffusers writes it.
        digest: Of the weights that will be loaded.

    Raises:
        InputError: The configuration is not that of such an autoencoder.
    """

    vae: Any

    def __init__(self, config: CodecConfig, vae: dict[str, Any], digest: str = "") -> None:
        super().__init__()
        self.vae = build_vae(vae)
        sizes = self.vae.config
        self.channels, self.factor = int(sizes.latent_channels), 2 ** (len(sizes.block_out_channels) - 1)
        self.condition_scale, self.digest = float(sizes.scaling_factor), digest
        self._decode_frames = config.decode_frames
        self.requires_grad_(False)

    def encode(self, pictures: Tensor, seeds: Tensor | None = None) -> Tensor:
        """See :meth:`Codec.encode`."""
        _require_multiple(pictures, self.factor)
        with torch.autocast(pictures.device.type, enabled=False):
            posterior = self.vae.encode(pictures.float()).latent_dist
        latents: Tensor = posterior.mode()
        if seeds is not None:
            latents = latents + posterior.std * seeded_noise(seeds, latents.shape[1:], latents.device)
        return latents * self.condition_scale

    def decode(self, latents: Tensor, frames: int | None = None) -> Tensor:
        """See :meth:`Codec.decode`."""
        _require_channels(latents, self.channels)
        pictures = [
            self._decoded(part)
            for video in torch.split(latents.float() / self.condition_scale, frames or len(latents))
            for part in torch.split(video, self._decode_frames)
        ]
        return _finite(torch.cat(pictures))

    def _decoded(self, latents: Tensor) -> Tensor:
        with torch.autocast(latents.device.type, enabled=False):
            pictures: Tensor = self.vae.decode(latents, num_frames=len(latents)).sample
        return pictures


def load_codec(folder: Path, device: torch.device | str = "cpu") -> Codec:
    """A codec of the catalog: ``config.json`` and ``model.safetensors``, in float32 on the device.

    Raises:
        InputError: The folder holds no such codec.
    """
    checkpoint = Checkpoint.of(folder)
    config, vae = _codec_parts(checkpoint)
    digest = checkpoint.digest
    codec = VaeCodec(config, vae, digest) if config.kind == "vae" else LinearCodec(config, digest)
    target = codec.vae if isinstance(codec, VaeCodec) else codec
    load_strictly(target, checkpoint.state_dict(), f"The codec {folder}")
    return codec.eval().float().to(device)


class CodecSizes(NamedTuple):
    """What must be known of a codec before its weights are read."""

    channels: int
    """Channels C of its latents."""
    factor: int
    """Pixels on a side of one position."""


def codec_sizes(checkpoint: Checkpoint) -> CodecSizes:
    """The sizes of a codec of the catalog.

    Raises:
        InputError: The checkpoint is not one of a codec.
    """
    config, vae = _codec_parts(checkpoint)
    if config.kind == "linear":
        return CodecSizes(config.channels, config.factor)
    try:
        return CodecSizes(int(vae["latent_channels"]), 2 ** (len(vae["block_out_channels"]) - 1))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{checkpoint.directory}: the autoencoder's sizes are missing ({error}).") from error


def _codec_parts(checkpoint: Checkpoint) -> tuple[CodecConfig, dict[str, Any]]:
    """Our configuration, and that of the autoencoder if there is one."""
    try:
        config = CodecConfig.model_validate(checkpoint.config[CODEC])
        return config, dict(checkpoint.config[VAE]) if config.kind == "vae" else {}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{checkpoint.directory} holds no codec of frames ({error}). Remedy: run latent_extraction_svd."
        ) from error


def build_vae(config: dict[str, Any]) -> nn.Module:
    """An autoencoder of that configuration, with random weights.

    Raises:
        InputError: It is not the configuration of an ``AutoencoderKLTemporalDecoder``.
    """
    from vidrep_pipelines.compat import diffusers  # noqa: PLC0415 (takes seconds)

    name = "AutoencoderKLTemporalDecoder"
    if config.get("_class_name") != name:
        raise InputError(
            f"The autoencoder's configuration is of {config.get('_class_name')!r}, not of {name}. Remedy: "
            "name the folder vae of a Stable Video Diffusion pipeline."
        )
    try:
        vae: nn.Module = diffusers.AutoencoderKLTemporalDecoder.from_config(config)
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise InputError(f"The autoencoder's configuration cannot be used ({error}).") from error
    return vae


def to_pictures(frames: Tensor) -> Tensor:
    """Frames (N, H, W, 3) uint8 as pictures (N, 3, H, W) float32 in -1..1."""
    return frames.movedim(-1, -3).float() / 127.5 - 1


def seeded_noise(seeds: Tensor | Sequence[int], shape: Sequence[int], device: torch.device) -> Tensor:
    """Normal noise (N, *shape) float32; each entry's from its own seed, so that no batch changes it."""
    generator = torch.Generator()
    rows = [torch.randn(*shape, generator=generator.manual_seed(int(seed))) for seed in seeds]
    return torch.stack(rows).to(device) if rows else torch.empty(0, *shape, device=device)


def space_to_depth(pictures: Tensor, factor: int) -> Tensor:
    """Pictures (N, 3, H, W) to their blocks of pixels (N, 3 * factor * factor, H / factor, W / factor).

    Raises:
        InputError: The sides are no multiples of the factor.
    """
    _require_multiple(pictures, factor)
    return rearrange(pictures, "n c (h y) (w x) -> n (c y x) h w", y=factor, x=factor)


def depth_to_space(blocks: Tensor, factor: int) -> Tensor:
    """The inverse of :func:`space_to_depth`."""
    return rearrange(blocks, "n (c y x) h w -> n c (h y) (w x)", y=factor, x=factor)


def _require_multiple(pictures: Tensor, factor: int) -> None:
    height, width = pictures.shape[-2:]
    if pictures.ndim != 4 or height % factor or width % factor:
        raise InputError(
            f"Pictures (N, 3, H, W) must have sides that are multiples of {factor}, not "
            f"{tuple(pictures.shape)}. Remedy: choose another size of the stored frames "
            "(robot_episodes) or another codec."
        )


def _require_channels(latents: Tensor, channels: int) -> None:
    if latents.ndim != 4 or latents.shape[1] != channels:
        raise InputError(
            f"Latents of this codec are (N, {channels}, h, w), not {tuple(latents.shape)}: another codec "
            "made them. Remedy: run latent_extraction_svd again, or name the codec that they belong to."
        )


def _finite(pictures: Tensor) -> Tensor:
    if not bool(torch.isfinite(pictures).all()):
        raise InputError(
            "Decoded pictures are not finite. Remedy: look for values that are not finite in the latents (a "
            "model that diverged, or that ran in float16) and for damaged weights of the codec."
        )
    return pictures
