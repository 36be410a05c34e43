"""Data, sizes and loss weights of FEVD-VQVAE. Every default is the published value."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from vidrep_pipelines.common.arrays import Triple
from vidrep_pipelines.common.config import FrozenConfig, UserPath
from vidrep_pipelines.models.layers.vqgan_config import CodebookConfig, VqganConfig

VqvaePresetName = Literal["baseline_2d", "baseline", "3d_decoder__2d_loss"]

ROBONET_MEAN = (0.4947905177456989, 0.4394289448514622, 0.3734249455050442)
ROBONET_STD = (0.2248808632122409, 0.2230480187693433, 0.2166628109431439)


class VqvaeModelConfig(VqganConfig):
    """The architecture: encoder and decoder of the VQGAN family, frame by frame, and a head over time."""

    codebook: CodebookConfig = CodebookConfig()
    """The codes."""

    decoder: Literal["2d", "3d", "residual_causal_3d"] = "2d"
    """``2d``: frame by frame. ``3d``: two 3D convolutions follow, as published: without activation or
    shortcut (in effect one linear filter that looks ahead). ``residual_causal_3d`` (not published): 3D
    convolutions with activations correct the frames, and see the past only."""

    head_width: int = Field(32, gt=0)
    """Channels inside the head ``residual_causal_3d``."""

    @property
    def needs_clips(self) -> bool:
        """Whether only clips can be decoded, not single frames."""
        return self.decoder == "3d"


class AdversarialConfig(FrozenConfig):
    """A patch discriminator, as VQGAN has it (Esser et al. 2021, section 3.1); not part of the original."""

    weight: float = Field(0.0, ge=0)
    """Weight of the adversarial loss, times the adaptive weight. 0: no discriminator."""

    start_step: int = Field(0, ge=0)
    """Updates before the discriminator and the adversarial loss begin."""

    adaptive: bool = True
    """Scale the adversarial gradient at the decoder's last layer to the length of the reconstruction's
    (equation 7)."""

    largest_adaptive_weight: float = Field(1e4, gt=0)
    """Bound of that scale."""

    learning_rate_scale: float = Field(1.0, gt=0)
    """The discriminator's learning rate relative to the model's."""

    width: int = Field(64, gt=0, multiple_of=8)
    """Channels of the discriminator's first layer."""

    layers: int = Field(2, ge=1)
    """Its layers of stride 2; two see patches of 34 pixels."""


class VqvaeObjectiveConfig(FrozenConfig):
    """The loss: reconstruction of pixels, of features, of clip statistics, and the codebook's."""

    pixel_weight: float = Field(1.0, ge=0)
    """Weight of the mean absolute error of normalized pixels."""

    perceptual_weight: float = Field(0.0, ge=0)
    """Weight of LPIPS, frame by frame. 0: its network is not loaded."""

    perceptual_input: Literal["unit", "normalized"] = "unit"
    """Pixels that LPIPS is given: in 0..1 as it is defined, or ``normalized``: the original passes frames
    standardized by mean and deviation, which changes every value."""

    perceptual_network: Literal["lpips", "random"] = "lpips"
    """``lpips`` needs two files, see ``LossFiles``. ``random`` is a stand-in of our own for trying things out
    where the files cannot be had: narrow, with seeded random weights."""

    codebook_weight: float = Field(1.0, ge=0)
    """Weight of the codebook loss. 0 leaves a codebook that is trained by gradient where it is."""

    codebook_beta: float = Field(0.25, ge=0)
    """The smaller weight within the codebook loss."""

    codebook_loss_weighting: Literal["legacy", "corrected"] = "legacy"
    """Where beta goes. ``legacy``: on the term that moves the codebook, as in the original (a known slip of
    taming-transformers, kept there for old checkpoints). ``corrected``: on the commitment term, as in the
    VQ-VAE paper. The value is the same, the gradients are not; with ``update: ema`` there is only the
    commitment term."""

    fvd_mean_weight: float = Field(0.0, ge=0)
    """Weight of the squared difference of mean action features of real and reconstructed clips
    (`fvd_mu_weight`)."""

    fvd_covariance_weight: float = Field(0.0, ge=0)
    """Weight of the squared difference of their covariances (`fvd_cov_weight`)."""

    adversarial: AdversarialConfig = AdversarialConfig()
    """The discriminator."""

    @property
    def needs_action_features(self) -> bool:
        """Whether a loss term is computed from the action-recognition network."""
        return self.fvd_mean_weight > 0 or self.fvd_covariance_weight > 0


class VqvaeDataConfig(FrozenConfig):
    """Which frames are seen together, and in which units."""

    clip_frames: int = Field(1, ge=1)
    """Frames T of a sample: 1 for single frames (2D configurations), 12 in the published 3D configuration."""

    frame_step: int = Field(1, ge=1)
    """Frames from one frame of a sample to the next."""

    windows_per_clip: int = Field(1, ge=1)
    """Samples drawn from a video file each time it is opened; a frame store numbers its windows instead."""

    first_frames: int | None = Field(None, ge=1)
    """Use only so many frames from the start of every video. The original uses 12 of about 31. None: all."""

    mean: Triple = ROBONET_MEAN
    """Mean of each color channel, for values in 0..1; published for RoboNet."""

    std: Triple = ROBONET_STD
    """Standard deviation of each color channel."""


class VqvaePreset(FrozenConfig):
    """What distinguishes a published configuration from the defaults."""

    model: VqvaeModelConfig
    objective: VqvaeObjectiveConfig
    data: VqvaeDataConfig

    @classmethod
    def named(cls, name: VqvaePresetName) -> Self:
        """One of the three published configurations, by the name its checkpoints carry."""
        clips = name == "3d_decoder__2d_loss"
        return cls(
            model=VqvaeModelConfig(decoder="3d" if clips else "2d"),
            objective=VqvaeObjectiveConfig(
                perceptual_weight=0.0 if name == "baseline_2d" else 1.0, perceptual_input="normalized"
            ),
            data=VqvaeDataConfig(clip_frames=12 if clips else 1, first_frames=12),
        )


class LossFiles(FrozenConfig):
    """Files of networks that losses need; the user supplies them."""

    perceptual_trunk: UserPath | None = None
    """VGG16 of torchvision, ``vgg16-397923af.pth``."""

    perceptual_heads: UserPath | None = None
    """LPIPS heads, ``vgg.pth``."""

    action_features: UserPath | None = None
    """I3D trained on Kinetics-400, ``i3d_torchscript.pt``, or its weights alone."""

    def paths(self) -> dict[str, Path | None]:
        """The files by field."""
        return {name: getattr(self, name) for name in type(self).model_fields}


ValidationScore = Literal["loss", "psnr", "perplexity"]


def _by_loss() -> dict[ValidationScore, Literal["lowest", "highest"]]:
    return {"loss": "lowest"}


class VqvaeValidationConfig(FrozenConfig):
    """What is measured on held-out frames while training, and which weights are kept by it."""

    every_steps: int | None = Field(100, ge=1)
    """Updates between two measurements; the end is always measured. Published: 100, or 10 of the
    configuration that decodes clips. None: never."""

    split: str = "validation"
    """Part of the frame store that is measured, and drawn at every checkpoint."""

    samples: int | None = Field(None, ge=1)
    """At most so many samples, spread evenly over the split. None: all, as published."""

    batch_size: int = Field(32, ge=2)
    """Samples that are measured together."""

    keep: dict[ValidationScore, Literal["lowest", "highest"]] = Field(default_factory=_by_loss)
    """By what the best weights are kept in the run's folder, below ``best``. Published: by the loss, PSNR,
    SSIM, LPIPS and FVD; the last three are measured by ``eval_reconstruction`` only."""

    publish: ValidationScore | None = None
    """The one of ``keep`` whose best weights become the trained model. None: the last weights do."""

    @model_validator(mode="after")
    def _check_publish(self) -> Self:
        if self.publish is not None and (self.every_steps is None or self.publish not in self.keep):
            raise ValueError(f"publish: {self.publish} needs validation.every_steps, and an entry in keep")
        return self


class OriginalVqvaeConfig(FrozenConfig):
    """A checkpoint of the original code, and what it does not say of itself."""

    path: UserPath | None = None
    """The file, ``<step>.ckpt``. Sizes follow from its tensors. None: there is none to evaluate."""

    image_size: int = Field(64, gt=0)
    """Side of the frames that it was trained with; places of attention are counted from there."""

    mean: Triple = ROBONET_MEAN
    """Mean of each color channel that its frames were standardized with, for values in 0..1; those of
    RoboNet stand in the original's code."""

    std: Triple = ROBONET_STD
    """Standard deviation of each color channel."""


class LatentExtractionConfig(FrozenConfig):
    """What is extracted from a data set."""

    latents: bool = False
    """Also keep the latents before quantization, as float16: many times the size of the codes."""

    batch_size: int = Field(64, ge=1)
    """Frames encoded together."""
