"""Data, sizes and loss weights of RSP. Every default is the published value for ViT-S/16."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.data.clips.sampling import PairSampling
from vidrep_pipelines.data.sample_world.config import SampleWorldConfig

ModelName = Literal[
    "vit_tiny_patch16", "vit_small_patch16", "vit_small_patch8", "vit_base_patch16", "vit_large_patch16"
]

NAMED_SIZES: Mapping[ModelName, Mapping[str, int]] = MappingProxyType(
    {
        # Ours, for laptops and tests; the other four are published. The decoder shrinks along.
        "vit_tiny_patch16": {
            "patch_size": 16, "embedding_dimension": 192, "depth": 12, "heads": 3,
            "decoder_dimension": 256, "decoder_depth": 4, "decoder_heads": 8,
        },
        "vit_small_patch16": {"patch_size": 16, "embedding_dimension": 384, "depth": 12, "heads": 6},
        "vit_small_patch8": {"patch_size": 8, "embedding_dimension": 384, "depth": 12, "heads": 6},
        "vit_base_patch16": {"patch_size": 16, "embedding_dimension": 768, "depth": 12, "heads": 12},
        "vit_large_patch16": {"patch_size": 16, "embedding_dimension": 1024, "depth": 24, "heads": 16},
    }
)  # fmt: skip


class RspModelConfig(FrozenConfig):
    """The architecture: a name fills in the sizes, and a size given beside it takes precedence."""

    name: ModelName = "vit_small_patch16"
    """Named size that the fields below start from."""

    image_size: int = Field(224, gt=0)
    """Side of the square input in pixels. The original parses `input_size` and never uses it: always 224."""

    patch_size: int = Field(16, gt=0)
    """Side of a patch in pixels."""

    channels: int = Field(3, gt=0)
    """Color channels of the input."""

    embedding_dimension: int = Field(384, gt=0, multiple_of=4)
    """Width of the encoder's tokens."""

    depth: int = Field(12, gt=0)
    """Blocks of the encoder."""

    heads: int = Field(6, gt=0)
    """Attention heads of the encoder."""

    decoder_dimension: int = Field(512, gt=0, multiple_of=4)
    """Width of the decoder's tokens."""

    decoder_depth: int = Field(8, gt=0)
    """Blocks of the decoder."""

    decoder_heads: int = Field(16, gt=0)
    """Attention heads of the decoder."""

    mlp_ratio: float = Field(4.0, gt=0)
    """Width of the perceptrons relative to the tokens, in encoder and decoder."""

    latent: Literal["discrete", "continuous"] = "discrete"
    """Kind of the latent variable. The original offers continuous (`discrete = 0`) but that cannot run."""

    latent_variables: int = Field(32, gt=0)
    """Independent variables of the latent (`stoch` of the original)."""

    latent_classes: int = Field(32, gt=1)
    """Classes of each discrete variable (`discrete` of the original); unused by the continuous latent."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in_named_size(cls, values: Any) -> Any:
        """Starts from the named size; an unknown name is reported by the field itself."""
        if not isinstance(values, Mapping):
            return values
        name = values.get("name", "vit_small_patch16")
        sizes = NAMED_SIZES.get(name, {}) if isinstance(name, str) else {}  # type: ignore[call-overload]
        return {**sizes, **values}

    @model_validator(mode="after")
    def _check_divisors(self) -> Self:
        """Patches tile the image and heads share the channels evenly."""
        for whole, part in (
            ("image_size", "patch_size"),
            ("embedding_dimension", "heads"),
            ("decoder_dimension", "decoder_heads"),
        ):
            if getattr(self, whole) % getattr(self, part):
                raise ValueError(
                    f"{whole}={getattr(self, whole)} is not a multiple of {part}={getattr(self, part)}"
                )
        return self

    @property
    def grid(self) -> int:
        """Patches along one side of the image."""
        return self.image_size // self.patch_size

    @property
    def patches(self) -> int:
        """Patches L of an image."""
        return self.grid**2

    @property
    def patch_values(self) -> int:
        """Numbers P in one patch: side x side x channels."""
        return self.patch_size**2 * self.channels


class RspObjectiveConfig(FrozenConfig):
    """The loss: future frame from a latent + KL of the latent + masked auto-encoding."""

    mask_ratio: float = Field(0.75, gt=0, lt=1)
    """Fraction of the target's patches that the masked branch must reconstruct."""

    noise_scale: float = Field(0.5, ge=0)
    """Standard deviation of the noise on the target that the posterior sees, in normalized pixels."""

    kl_scale: float = Field(0.01, ge=0)
    """Weight of the KL term."""

    kl_balance: float = Field(0.2, ge=0, le=1)
    """Share of the KL gradient that moves the posterior; the rest moves the prior."""

    kl_free_bits: float = Field(0.1, ge=0)
    """Nats, below which the KL gives no gradient (`kl_freebit`). What counts is its mean over the samples
    that all devices have in one forward pass; as published, every accumulated pass decides for itself. With a
    KL near this value, the gradient therefore depends on how an update is cut into passes."""

    normalize_patches: bool = True
    """Targets are normalized per patch. In the original (`norm_pix_loss`) the constructor says true, the
    command line false, and the documented command passes the flag: true is what was published."""

    prior_decode_every: int = Field(10, ge=0)
    """Decode a prior sample every so many steps, for the log only: it has no gradient and changes no weight.
    The original does it at every step (1), at a seventh of the step's cost; 0 is never."""

    def decodes_prior(self, step: int) -> bool:
        """Whether the step with this number, counted from 0, logs the prior's prediction."""
        return self.prior_decode_every > 0 and step % self.prior_decode_every == 0


class RspFuturesConfig(FrozenConfig):
    """Measuring open futures while training (``params:rsp.futures``). It changes no weight.

    With the probe, on clips of the sample world that no training sees: errors of the posterior's and of the
    prior's predictions, how far the prior's samples are apart, and the KL.
    """

    clips: int = Field(0, ge=0)
    """How many clips; each gives `data.sampling.pairs_per_clip` pairs. 0: this is not measured."""

    world: SampleWorldConfig = SampleWorldConfig(seed=2, width=170, height=128, frames_min=70, frames_max=80)
    """What is rendered. Its number of clips is `clips`; its size is that of the laptop's resized clips."""


class RspDataConfig(FrozenConfig):
    """How frame pairs are drawn from clips, and cropped."""

    sampling: PairSampling = PairSampling()
    """Which frames make a pair, and how many pairs each opened clip gives."""

    crop_scale: tuple[float, float] = (0.5, 1.0)
    """Bounds of the crop's share of the frame's area; both frames of a pair share the crop."""

    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    """Bounds of the crop's width over its height."""

    flip_probability: float = Field(0.5, ge=0, le=1)
    """Probability of mirroring both frames of a pair left and right."""

    exact_resize: bool = False
    """Resize by Pillow: the published pixels to the bit, about six times slower than the default, which
    differs by at most a gray level or two."""
