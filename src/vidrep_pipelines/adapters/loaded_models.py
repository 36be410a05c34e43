"""Trained models behind one method: frames in, numbers for every frame out, whatever the system.

What ``vidrep_pipelines.load`` gives. Every model prepares frames as its own evaluation does, works on its
device without gradients, and gives results on the CPU.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.transforms import Crop, crop_resize, normalize
from vidrep_pipelines.models.carl.config import EmbeddingConfig
from vidrep_pipelines.models.carl.inference import TrainedCarl
from vidrep_pipelines.models.rsp.config import RspModelConfig
from vidrep_pipelines.models.voc.tokenizers.inference import Tokenizer, tokenize
from vidrep_pipelines.models.vpp.video.codec_config import FeaturesConfig
from vidrep_pipelines.models.vpp.video.features import SvdFeatures
from vidrep_pipelines.models.vpp.video.inference import VideoPredictor
from vidrep_pipelines.models.vpp.video.sampling import draw_video_noise
from vidrep_pipelines.models.vqvae.inference import TrainedVqvae

_FRAMES_AT_ONCE = 64
_EMBEDDING, _FEATURES = EmbeddingConfig(), FeaturesConfig()
_SLACK = 1e-3
"""How far a float may lie outside of 0..1, as resizing may have left it."""


@dataclass(frozen=True)
class FrameEncoding:
    """What a model makes of clips of T frames. All tensors are on the CPU.

    Attributes:
        vectors: (B, T, D) float32, one vector for each frame.
        maps: (B, T, D, h, w) float32, one vector for each place of each frame. None: there are no places.
        codes: (B, T, h, w) int64, entries of the codebook. None: the system has no codebook.
    """

    vectors: Tensor
    maps: Tensor | None = None
    codes: Tensor | None = None


class LoadedModel(Protocol):
    """A trained model of any system, ready for use."""

    @property
    def system(self) -> str:
        """``rsp``, ``vqvae``, ``carl``, ``voc_vae``, ``voc_dino``, ``voc_musik`` or ``vpp_video``."""

    @property
    def config(self) -> FrozenConfig:
        """The architecture."""

    @property
    def meta(self) -> Mapping[str, Any]:
        """Where the weights came from: updates, passes over the data, digest of the run, last metrics."""

    def encode(self, frames: Tensor | NDArray[Any]) -> FrameEncoding:
        """Encodes clips.

        Args:
            frames: (B, T, 3, H, W) in RGB, a tensor or an array: uint8 in 0..255, or float in 0..1, which is
                rounded to 256 levels first, as all systems are trained on such pictures.

        Raises:
            InputError: The frames have another shape, type or range, or a size that the system cannot take.
        """


def as_clips(frames: Tensor | NDArray[Any]) -> Tensor:
    """Frames as users have them to (B, T, 3, H, W) uint8; see :meth:`LoadedModel.encode`.

    Raises:
        InputError: They have another shape, type or range.
    """
    clips = torch.as_tensor(frames)
    if clips.ndim != 5 or clips.shape[2] != 3 or 0 in clips.shape:
        raise InputError(
            f"Frames are (B, T, 3, H, W), not {tuple(clips.shape)}. Remedy: frames (T, H, W, 3) of one clip "
            "become such by torch.as_tensor(frames).permute(0, 3, 1, 2)[None]."
        )
    if clips.dtype == torch.uint8:
        return clips.cpu()
    if not clips.is_floating_point():
        raise InputError(f"Frames are uint8 in 0..255 or float in 0..1, not {clips.dtype}.")
    low, high = clips.min().item(), clips.max().item()
    if not (low >= -_SLACK and high <= 1 + _SLACK):
        raise InputError(
            f"Frames of type float are in 0..1, these in {low:.4g}..{high:.4g}. Remedy: divide by 255, and "
            "do not standardize: every model does that itself."
        )
    return (clips.float() * 255).round().clamp(0, 255).to(torch.uint8).cpu()


def centered_square(pictures: Tensor, size: int | None = None) -> Tensor:
    """The largest square in the middle of pictures (N, 3, H, W) uint8.

    Args:
        pictures: The pictures.
        size: Side of the result, bicubic with antialiasing; None, or the side that they have: as they are.

    Returns:
        (N, 3, S, S) uint8.
    """
    height, width = pictures.shape[-2:]
    side = min(height, width)
    crop = Crop((height - side) // 2, (width - side) // 2, side, side)
    if size is None or size == side:
        return pictures[..., crop.top : crop.top + side, crop.left : crop.left + side]
    return crop_resize(pictures.movedim(1, -1).contiguous(), crop, (size, size))


def _in_parts(clips: Tensor, encode: Callable[[Tensor], tuple[Tensor, ...]]) -> list[Tensor]:
    """What ``encode`` makes of pictures (N, 3, H, W), some at a time, as (B, T, ...) on the CPU."""
    parts = [encode(part) for part in torch.split(clips.flatten(0, 1), _FRAMES_AT_ONCE)]
    joined = [torch.cat([value.cpu() for value in column]) for column in zip(*parts, strict=True)]
    return [value.reshape(*clips.shape[:2], *value.shape[1:]) for value in joined]


@dataclass(frozen=True)
class LoadedRsp:
    """RSP's image encoder: the class token as a frame's vector, the patches' tokens as its map."""

    network: nn.Module
    config: RspModelConfig
    meta: Mapping[str, Any]
    system: str = "rsp"

    def encode(self, frames: Tensor | NDArray[Any]) -> FrameEncoding:
        """See :meth:`LoadedModel.encode`. D = E, h = w = image_size / patch_size."""
        (tokens,) = _in_parts(as_clips(frames), self._tokens)
        places = tokens[..., 1:, :].transpose(-1, -2)
        grid = self.config.grid
        return FrameEncoding(tokens[..., 0, :], places.reshape(*places.shape[:-1], grid, grid))

    @torch.inference_mode()
    def _tokens(self, pictures: Tensor) -> tuple[Tensor]:
        device = next(self.network.parameters()).device
        images = normalize(centered_square(pictures, self.config.image_size).to(device))
        return (self.network(images),)


@dataclass(frozen=True)
class LoadedVqvae:
    """FEVD-VQVAE: codes, and the latents that they are the nearest to."""

    trained: TrainedVqvae
    meta: Mapping[str, Any]
    system: str = "vqvae"

    @property
    def config(self) -> FrozenConfig:
        """The architecture."""
        return self.trained.model.config

    def encode(self, frames: Tensor | NDArray[Any]) -> FrameEncoding:
        """See :meth:`LoadedModel.encode`. h = w = image_size / downsampling."""
        codes, latents = _in_parts(as_clips(frames), self._codes)
        return FrameEncoding(latents.mean(dim=(-2, -1)), latents, codes)

    def _codes(self, pictures: Tensor) -> tuple[Tensor, ...]:
        square = centered_square(pictures, self.trained.model.config.image_size)
        return self.trained.encode(square.movedim(1, -1).numpy())


@dataclass(frozen=True)
class LoadedCarl:
    """CARL: one embedding for each frame, which depends on the frames around it."""

    trained: TrainedCarl
    meta: Mapping[str, Any]
    system: str = "carl"
    embedding: EmbeddingConfig = _EMBEDDING

    @property
    def config(self) -> FrozenConfig:
        """The architecture."""
        return self.trained.model.config

    def encode(self, frames: Tensor | NDArray[Any]) -> FrameEncoding:
        """See :meth:`LoadedModel.encode`. A clip is a whole video; T may be any number."""
        clips = as_clips(frames).movedim(2, -1).numpy()
        return FrameEncoding(torch.stack([self._embedded(clip) for clip in clips]))

    def _embedded(self, clip: NDArray[np.uint8]) -> Tensor:
        return torch.from_numpy(self.trained.embed(lambda ranks: clip[ranks], len(clip), self.embedding))


@dataclass(frozen=True)
class LoadedTokenizer:
    """A tokenizer of Video Occupancy Models: codes, and the entries of the codebook that they stand for."""

    tokenizer: Tokenizer
    config: FrozenConfig
    meta: Mapping[str, Any]
    system: str

    def encode(self, frames: Tensor | NDArray[Any]) -> FrameEncoding:
        """See :meth:`LoadedModel.encode`. h = w = grid; frames are never moved, as in extraction."""
        codes, maps = _in_parts(as_clips(frames), self._codes)
        return FrameEncoding(maps.mean(dim=(-2, -1)), maps, codes)

    @torch.inference_mode()
    def _codes(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        codes = tokenize(self.tokenizer, centered_square(pictures))
        return codes, self.tokenizer.codebook[codes].float().movedim(-1, 1)


@dataclass(frozen=True)
class LoadedVideoModel:
    """VPP's video model: what it is about to predict after each frame, read off one pass from pure noise."""

    predictor: VideoPredictor
    meta: Mapping[str, Any]
    features: FeaturesConfig = _FEATURES
    system: str = "vpp_video"

    @property
    def config(self) -> FrozenConfig:
        """The architecture."""
        return self.predictor.model.config

    def encode(
        self, frames: Tensor | NDArray[Any], texts: Sequence[str] | None = None, seed: int = 0
    ) -> FrameEncoding:
        """See :meth:`LoadedModel.encode`. Each frame is taken as what the robot sees now, and costs a pass.

        Args:
            frames: (B, T, 3, H, W), of the size that the model was trained on.
            texts: What the robot is told, one for each clip. None: nothing.
            seed: Seed of the noise, which is the same for all frames.

        Returns:
            D = F * C', the features of the F frames that would follow, one frame after the other.

        Raises:
            InputError: The frames do not fit, there are not as many texts as clips, or the model was built to
                see another camera as well.
        """
        clips = as_clips(frames)
        told: list[str | None] = [None] * len(clips) if texts is None else list(texts)
        if len(told) != len(clips):
            raise InputError(f"There are {len(clips)} clips and {len(told)} texts; every clip needs one.")
        maps = torch.cat([
            _in_parts(clip[None], self._reader(text, seed))[0] for clip, text in zip(clips, told, strict=True)
        ])  # fmt: skip
        return FrameEncoding(maps.mean(dim=(-2, -1)), maps)

    def _reader(self, text: str | None, seed: int) -> Callable[[Tensor], tuple[Tensor]]:
        read = SvdFeatures(self.predictor.model, self.features)

        @torch.inference_mode()
        def features_of(pictures: Tensor) -> tuple[Tensor]:
            first = self.predictor.encode(pictures.float() / 255)
            count, shape = len(pictures), (self.predictor.frames, *first.shape[1:])
            noise = draw_video_noise([seed] * count, shape, self.predictor.device)
            features = read(first, self._told(text).expand(count, -1, -1), noise)
            return (features.flatten(1, 2).float(),)

        return features_of

    def _told(self, text: str | None) -> Tensor:
        """(1, L, D); zeros, as in training without an instruction, if there is none."""
        model, device = self.predictor.model, self.predictor.device
        if text is None:
            return torch.zeros(1, model.config.text.tokens, model.config.text.output_width, device=device)
        ids, mask = self.predictor.tokenizer([text])
        return model.encode_text(ids.to(device), mask.to(device))
