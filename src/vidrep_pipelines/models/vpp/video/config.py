"""Sizes, loss and sampling of text-guided video diffusion. Defaults are published (arXiv 2412.14803)."""

from typing import Any, Literal, Self

from pydantic import Field, PositiveInt, SerializerFunctionWrapHandler, model_serializer, model_validator

from vidrep_pipelines.common.config import FrozenConfig, UserPath

LATENT_SCALE = 0.18215
"""What the published VAE's latents are multiplied by before they are stored and diffused."""


class UnetConfig(FrozenConfig):
    """The UNet over space and time; the defaults are those of Stable Video Diffusion, img2vid."""

    channels: tuple[PositiveInt, ...] = (320, 640, 1280, 1280)
    """Width of each level, finest first (`block_out_channels`): multiples of 32, the groups of group norm."""

    attention: tuple[bool, ...] = (True, True, True, False)
    """Which levels attend, over space and to the text, and over time. The middle always does."""

    layers_per_block: int = Field(2, ge=1)
    """Residual blocks of a level on the way down; one more on the way up."""

    transformer_layers: int = Field(1, ge=1)
    """Transformer blocks behind each residual block of a level that attends."""

    heads: tuple[PositiveInt, ...] = (5, 10, 20, 20)
    """Attention heads of each level."""

    cross_attention_dimension: int = Field(1024, gt=0)
    """Width of the text's tokens."""

    time_embedding_dimension: int = Field(256, gt=0, multiple_of=2)
    """Width of the embedding of each of the three numbers beside the noise level
    (`addition_time_embed_dim`): frames per second, motion bucket, noise on the first frame."""

    latent_channels: int = Field(4, gt=0)
    """Channels C of the latents. The UNet gets 2 C (noisy latents and the first frame) and gives C."""

    sample_size: int = Field(96, gt=0)
    """Side of the latents that the published weights were made for. Recorded in exports; computes nothing."""

    @model_validator(mode="after")
    def _check_levels(self) -> Self:
        """Every level has a width, heads and an answer whether it attends."""
        levels = len(self.channels)
        if not levels or len(self.attention) != levels or len(self.heads) != levels:
            raise ValueError(
                f"channels, attention and heads need one entry per level; they have {levels}, "
                f"{len(self.attention)} and {len(self.heads)}"
            )
        for width, heads in zip(self.channels, self.heads, strict=True):
            if width % 32:
                raise ValueError(f"channels: {width} is not a multiple of 32, the groups of group norm")
            if width % heads:
                raise ValueError(f"heads: {heads} do not divide the {width} channels of their level")
        return self

    @property
    def smallest_side(self) -> int:
        """What latents' sides must be multiples of: each level but the last halves them."""
        return int(2 ** (len(self.channels) - 1))


class ImageConditionConfig(FrozenConfig):
    """What another camera sees at first, told beside the instruction (`use_img_cond`, arXiv 2412.14803)."""

    folder: UserPath | None = None
    """A folder in transformers' layout with CLIP's image model and its projection, frozen: config.json and
    weights. None: ``text.folder``, which then holds a whole CLIP, as published."""

    width: int = Field(512, gt=0)
    """Width of its picture embedding (`projection_dim`)."""


class TextConfig(FrozenConfig):
    """How an instruction becomes tokens that the UNet attends to."""

    kind: Literal["clip", "own"] = "clip"
    """``clip``: CLIP's text model, frozen, from ``folder``, as published. ``own``: a small transformer over
    the words of ``vocabulary``, trained with the UNet."""

    tokens: int = Field(20, ge=2)
    """Length L that instructions are padded or cut to. The published xbot configuration says 24, which its
    code ignores."""

    position_encoding: bool = True
    """Add sines of the position to the text model's output: published for the general and the xbot model, not
    for CALVIN's. What uses a trained model must use the same."""

    duplicate: bool = True
    """Give the UNet each token twice, side by side on the channels, as published: CLIP's 512 numbers fill the
    1024 that the UNet expects."""

    image: ImageConditionConfig | None = None
    """In place of the second copy: an embedding of the first frame of another camera beside each token. None,
    as in every published configuration: no other camera is looked at."""

    width: int = Field(512, gt=0, multiple_of=2)
    """Width of the text model's output; of ``clip``, what the model in ``folder`` has."""

    folder: UserPath | None = None
    """``clip`` only: a folder in transformers' layout with the text model's config.json and weights
    (safetensors), and its tokenizer."""

    depth: int = Field(2, ge=1)
    """``own`` only: transformer layers."""

    heads: int = Field(4, ge=1)
    """``own`` only: attention heads."""

    vocabulary: tuple[str, ...] = ()
    """``own`` only: the words, in lower case; a word's number is its place here plus one, 0 is padding."""

    @model_validator(mode="after")
    def _check_image(self) -> Self:
        """There is one place beside the tokens."""
        if self.image is not None and self.duplicate:
            raise ValueError("image takes the place of the tokens' second copy: set duplicate to false")
        return self

    @model_validator(mode="after")
    def _check_own(self) -> Self:
        """The own text model has words and heads that share its channels evenly."""
        if self.kind == "clip":
            return self
        if not self.vocabulary:
            raise ValueError("vocabulary: a text model of kind own needs the words that it can be told")
        if len(set(self.vocabulary)) < len(self.vocabulary):
            raise ValueError("vocabulary: a word occurs twice")
        if unusable := [word for word in self.vocabulary if [word] != words_of(word)]:
            raise ValueError(f"vocabulary: {unusable[0]!r} is not one word of letters in lower case")
        if self.width % self.heads:
            raise ValueError(f"width={self.width} is not a multiple of heads={self.heads}")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_off(self, serialized: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """An image condition that is off is left out: digests of models without it stay as they were."""
        described: dict[str, Any] = serialized(self)
        if self.image is None:
            described.pop("image", None)
        return described

    @property
    def output_width(self) -> int:
        """D, the width of the tokens that the UNet attends to."""
        beside = 0 if self.image is None else self.image.width
        return self.width * (2 if self.duplicate else 1) + beside


def words_of(text: str) -> list[str]:
    """The words of an instruction in lower case, without the punctuation around them."""
    words = (word.strip(".,;:!?\"'()") for word in text.lower().split())
    return [word for word in words if word]


class ClipConfig(FrozenConfig):
    """What a sample is. Which frames of an episode make one is said for each data set, see ``mixture.py``."""

    frames: int = Field(16, ge=2)
    """F, frames of a clip; the first is the condition."""


class VideoModelConfig(FrozenConfig):
    """The architecture: a UNet that is told in words what happens after the first frame."""

    unet: UnetConfig = UnetConfig()
    """The denoiser."""

    text: TextConfig = TextConfig()
    """What it is told."""

    condition_scale: float = Field(LATENT_SCALE, gt=0)
    """The stored latent of the first frame is divided by this where it is the condition: Stable Video
    Diffusion was trained on latents without their scale there. 1 for codecs whose latents have no scale."""

    @model_validator(mode="after")
    def _check_widths(self) -> Self:
        """The text's tokens fit the UNet."""
        if self.text.output_width != self.unet.cross_attention_dimension:
            beside = " twice" if self.text.duplicate else ""
            beside = beside if self.text.image is None else " and text.image.width"
            raise ValueError(
                f"the text model gives tokens of {self.text.output_width} numbers (text.width{beside}), but "
                f"unet.cross_attention_dimension is {self.unet.cross_attention_dimension}"
            )
        return self


class VideoObjectiveConfig(FrozenConfig):
    """The loss: denoising with EDM's preconditioning (arXiv 2206.00364)."""

    noise_mean: float = 0.7
    """Mean of the logarithm of the noise level (EDM's P_mean)."""

    noise_deviation: float = Field(1.6, gt=0)
    """Its standard deviation (P_std)."""

    text_dropout: float = Field(0.05, ge=0, lt=1)
    """Share of the samples that are trained without their instruction: all of its tokens are zeros."""

    frames_per_second: float = Field(7, ge=0)
    """What the UNet is told of the pace."""

    motion_bucket: float = Field(127, ge=0)
    """What the UNet is told of the amount of motion."""

    noise_augmentation: float = Field(0.0, ge=0)
    """What the UNet is told of noise on the first frame. Stored latents have none."""

    pixel_augmentation: Literal["sample", "batch", "none"] = "sample"
    """Training from pixels adds noise of a random strength to the first frame before it is encoded, and tells
    the UNet the strength. ``batch``: the strength of the first sample is that of the whole batch, as
    published; a sample's noise then depends on its neighbors. ``sample``: each has its own."""

    augmentation_mean: float = -3.0
    """Mean of the logarithm of that strength, in pixels from -1 to 1."""

    augmentation_deviation: float = Field(0.5, ge=0)
    """Its standard deviation."""


class VideoSamplingConfig(FrozenConfig):
    """How a video is made from noise: Euler steps over the noise levels of Karras et al., equation 5."""

    steps: int = Field(30, ge=1)
    """Euler steps."""

    guidance: float = Field(7.5, ge=0)
    """Weight of the text at the last frame (classifier-free guidance). Not above 1: no guidance, at half the
    cost. The published validation says 7.5; the published prediction tool reads it and then uses 3.0."""

    guidance_min: float = Field(1.0, ge=0)
    """Weight at the first frame; those between are evenly spaced."""

    frames_per_second: float = Field(7, ge=0)
    """What the UNet is told of the pace. The published prediction says 4 where training said 7."""

    motion_bucket: float = Field(127, ge=0)
    """What the UNet is told of the amount of motion."""

    noise_augmentation: float = Field(0.02, ge=0)
    """What the UNet is told of noise on the first frame; as published, none is added."""

    sigma_min: float = Field(0.002, gt=0)
    """The last noise level above zero."""

    sigma_max: float = Field(700.0, gt=0)
    """The first noise level."""

    rho: float = Field(7.0, gt=0)
    """How much denser small noise levels are."""

    @model_validator(mode="after")
    def _check_noise_levels(self) -> Self:
        """Noise falls."""
        if self.sigma_min >= self.sigma_max:
            raise ValueError(f"sigma_min={self.sigma_min} is not below sigma_max={self.sigma_max}")
        return self


LORA_TARGETS = ("to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2")
"""Ends of the names of the linear layers that adapters are put on by default."""


class LowRankConfig(FrozenConfig):
    """Low-rank adapters (LoRA, arXiv 2106.09685) on layers of the frozen UNet."""

    rank: int = Field(16, ge=1)
    """Rank of the update of each layer."""

    alpha: float = Field(32.0, gt=0)
    """The update is multiplied by alpha / rank; published."""

    dropout: float = Field(0.05, ge=0, lt=1)
    """Dropout before the adapters; published."""

    targets: tuple[str, ...] = Field(LORA_TARGETS, min_length=1)
    """Ends of the names of the layers. The published list adds `conv_in` and `conv_out`; its LoRA cannot run
    as released."""


class AdaptationConfig(FrozenConfig):
    """What of the UNet is trained, and what memory that saves."""

    trainable: tuple[str, ...] = ()
    """Parts of names, such as `attn1`, `attn2`, `conv_in` or `temp_conv`: of the UNet, only what has one of
    them in its name is trained. Empty: all (`trainable_modules` of the original)."""

    freeze_temporal: bool = False
    """Keep the layers over time as they are: fine-tuning on little data can make predictions stand still."""

    lora: LowRankConfig | None = None
    """Train adapters instead of the UNet's own weights. None: no adapters."""

    gradient_checkpointing: bool = True
    """Compute activations anew on the way back: about a third more work for a fraction of the memory."""

    @model_validator(mode="after")
    def _check_ways(self) -> Self:
        """Adapters leave nothing else to train."""
        if self.lora is not None and self.trainable:
            raise ValueError("set lora or trainable, not both: adapters train nothing of the UNet itself")
        return self


class VideoValidationConfig(FrozenConfig):
    """What is measured while training, and how often."""

    every_steps: int | None = Field(2000, ge=1)
    """Updates between two measurements; the end is always measured. None: never."""

    items: int = Field(192, ge=1)
    """Held-out clips whose loss is measured; the published loss takes 32 batches of 6."""

    batch_size: int = Field(6, ge=1)
    """Clips measured at once."""

    quantiles: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    """Noise levels, as quantiles of those that training draws."""

    predicted_items: int = Field(8, ge=0)
    """Held-out clips that are predicted, to compare how much moves. 0: none."""

    static_below: float = Field(0.1, ge=0)
    """Warn if predictions have less than this share of the truth's motion energy: they stand still."""
