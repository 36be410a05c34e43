"""Text-guided video diffusion: Stable Video Diffusion's UNet, told in words what happens.

Video Prediction Policy (arXiv 2412.14803), stage 1. Shapes: latents of a clip (B, F, C, h, w), stored with
the codec's scale; of its first frame (B, C, h, w); noise levels (B,); the text's tokens (B, L, D).
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.vpp.video.config import UnetConfig, VideoModelConfig
from vidrep_pipelines.models.vpp.video.image_condition import build_image_encoder
from vidrep_pipelines.models.vpp.video.text import build_text_encoder, sine_positions


@dataclass(frozen=True)
class Preconditioning:
    """EDM's factors (arXiv 2206.00364, table 1, with data of unit variance), each like the noise level.

    D(x; sigma) = c_skip x + c_out UNet(c_in x, c_noise). ``c_out`` is negative: the UNet predicts the
    velocity of the diffusion, as Stable Video Diffusion's does.
    """

    c_skip: Tensor
    c_out: Tensor
    c_in: Tensor
    c_noise: Tensor


def preconditioning(sigma: Tensor) -> Preconditioning:
    """The factors of positive noise levels of any shape."""
    total = sigma.square() + 1
    return Preconditioning(
        c_skip=1 / total, c_out=-sigma / total.sqrt(), c_in=1 / total.sqrt(), c_noise=sigma.log() / 4
    )


class VideoDiffusion(nn.Module):
    """A UNet that denoises the latents of a clip, given its first frame and an instruction.

    ``unet`` is diffusers' own class, so that published weights fit and exports can be read by others.
    """

    positions: Tensor

    def __init__(self, config: VideoModelConfig) -> None:
        """Builds all networks; the UNet's weights are random.

        Raises:
            ConfigurationError: CLIP's folder is not named.
            InputError: CLIP's folder holds no text or image model that fits.
        """
        super().__init__()
        self.config = config
        self.unet = build_unet(config.unet)
        self.text_encoder = build_text_encoder(config.text)
        self.image_encoder = build_image_encoder(config.text)
        positions = sine_positions(config.text.tokens, config.text.width)
        self.register_buffer("positions", positions, persistent=False)

    def encode_text(self, ids: Tensor, mask: Tensor, other_camera: Tensor | None = None) -> Tensor:
        """What the UNet attends to.

        Args:
            ids: (B, L) int64, numbers of the tokens.
            mask: (B, L), 1 where there is a token and 0 where there is padding.
            other_camera: (B, 3, H, W) in 0..1, what another camera saw at first, for models that look at it.

        Returns:
            (B, L, D).

        Raises:
            InputError: The model looks at another camera, and there is no picture of it; or the reverse.
        """
        require_other_camera(self.image_encoder is not None, other_camera)
        states: Tensor = self.text_encoder(ids, mask)
        if self.config.text.position_encoding:
            states = states + self.positions
        if self.image_encoder is not None:
            seen = self.image_encoder(other_camera).to(states.dtype)
            return torch.cat([states, seen[:, None].expand(*states.shape[:2], -1)], dim=-1)
        return torch.cat([states, states], dim=-1) if self.config.text.duplicate else states

    def unet_inputs(self, noisy: Tensor, sigma: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        """What the UNet gets: latents and the first frame (B, F, 2 C, h, w), and ln(sigma) / 4 (B,).

        Args:
            noisy: (B, F, C, h, w) clip + sigma * noise.
            sigma: (B,) noise levels above zero.
            first: (B, C, h, w) stored latent of the first frame.
        """
        factors = preconditioning(sigma)
        condition = (first / self.config.condition_scale).unsqueeze(1).expand_as(noisy)
        return torch.cat([_each(factors.c_in) * noisy, condition], dim=2), factors.c_noise

    def denoise(self, noisy: Tensor, sigma: Tensor, first: Tensor, text: Tensor, time_ids: Tensor) -> Tensor:
        """D(x; sigma), the clip that the UNet sees behind the noise.

        Args:
            noisy: (B, F, C, h, w) clip + sigma * noise.
            sigma: (B,) noise levels above zero.
            first: (B, C, h, w) stored latent of the first frame.
            text: (B, L, D) from :meth:`encode_text`; zeros for no instruction.
            time_ids: (B, 3) frames per second, motion bucket, noise on the first frame.

        Returns:
            (B, F, C, h, w) in single precision, also under autocast.
        """
        sample, c_noise = self.unet_inputs(noisy, sigma, first)
        factors = preconditioning(sigma)
        velocity = self.velocity(sample, c_noise, text, time_ids)
        return _each(factors.c_out) * velocity.float() + _each(factors.c_skip) * noisy

    def velocity(self, sample: Tensor, c_noise: Tensor, text: Tensor, time_ids: Tensor) -> Tensor:
        """The UNet's output (B, F, C, h, w) on :meth:`unet_inputs`, in the precision of its weights."""
        precision = self.unet.dtype
        velocity: Tensor = self.unet(
            sample.to(precision),
            c_noise,
            encoder_hidden_states=text.to(precision),
            added_time_ids=time_ids.to(precision),
            return_dict=False,
        )[0]
        return velocity

    def blocks(self) -> list[nn.Module]:
        """The UNet's residual blocks and transformers: nearly all of the work, and the units of sharding."""
        kinds = {"SpatioTemporalResBlock", "TransformerSpatioTemporalModel"}
        return [module for module in self.unet.modules() if type(module).__name__ in kinds]


def require_other_camera(needed: bool, pictures: Tensor | None) -> None:
    """Checks that pictures of another camera are there if, and only if, the model looks at them.

    Raises:
        InputError: They are missing, or nobody looks at them.
    """
    if needed and pictures is None:
        raise InputError(
            "The video model was built to see the first frame of another camera as well (text.image), and "
            "none is given. Remedy: give one for every video, or use a model that is told in words alone."
        )
    if not needed and pictures is not None:
        raise InputError(
            "The video model is told in words alone (text.image is not set), and pictures of another camera "
            "are given. Remedy: leave them out."
        )


def time_ids_of(
    batch: int,
    frames_per_second: float,
    motion_bucket: float,
    noise_augmentation: float | Tensor,
    device: torch.device | str,
) -> Tensor:
    """The three numbers that the UNet is told beside the noise level, (B, 3).

    Args:
        batch: B.
        frames_per_second: The pace.
        motion_bucket: The amount of motion.
        noise_augmentation: Noise on the first frame, one number or (B,).
        device: Where they are needed.
    """
    told = torch.tensor([frames_per_second, motion_bucket], dtype=torch.get_default_dtype(), device=device)
    noise = torch.as_tensor(noise_augmentation, dtype=told.dtype, device=device).expand(batch)
    return torch.cat([told.expand(batch, 2), noise[:, None]], dim=1)


def build_unet(config: UnetConfig) -> Any:
    """Diffusers' UNetSpatioTemporalConditionModel of these sizes, with random weights.

    Inside ``torch.device("meta")`` it costs no memory and is good for counting.
    """
    from vidrep_pipelines.compat import diffusers  # noqa: PLC0415 (takes seconds)

    return diffusers.UNetSpatioTemporalConditionModel.from_config(unet_arguments(config))


def unet_arguments(config: UnetConfig) -> dict[str, Any]:
    """The sizes under diffusers' names, as in its config.json."""
    attends = config.attention
    down = [f"{'CrossAttn' if here else ''}DownBlockSpatioTemporal" for here in attends]
    up = [f"{'CrossAttn' if here else ''}UpBlockSpatioTemporal" for here in reversed(attends)]
    return {
        "sample_size": config.sample_size,
        "in_channels": 2 * config.latent_channels,
        "out_channels": config.latent_channels,
        "down_block_types": down,
        "up_block_types": up,
        "block_out_channels": list(config.channels),
        "addition_time_embed_dim": config.time_embedding_dimension,
        "projection_class_embeddings_input_dim": 3 * config.time_embedding_dimension,
        "layers_per_block": config.layers_per_block,
        "cross_attention_dim": config.cross_attention_dimension,
        "transformer_layers_per_block": config.transformer_layers,
        "num_attention_heads": list(config.heads),
    }


def _each(factor: Tensor) -> Tensor:
    """(B,) to (B, 1, 1, 1, 1)."""
    return factor.reshape(-1, 1, 1, 1, 1)
