"""What latents of frames are, how they are extracted, and what is read off the trained network.

Apart from the networks, whose library takes seconds to import.
"""

from typing import Literal

from pydantic import Field, model_validator

from vidrep_pipelines.common.config import FrozenConfig, UserPath


class CodecConfig(FrozenConfig):
    """What turns frames into latents and back. The default is the published one, Stable Video Diffusion's."""

    kind: Literal["linear", "vae"] = "vae"
    """``vae``: the autoencoder of Stable Video Diffusion, from ``folder``. ``linear``: principal components
    of blocks of pixels, fitted to the training frames; at 64 pixels and laptop size closer to the frames than
    an autoencoder that two cores can train (docs/vpp.md)."""

    folder: UserPath | None = None
    """Folder of a diffusers pipeline that has a ``vae``, or that ``vae`` itself. For ``vae`` only."""

    decode_frames: int = Field(7, ge=1)
    """Frames of a video that the autoencoder's temporal decoder sees at once, as published."""

    factor: int = Field(8, ge=1)
    """Side in pixels of the block that one position of linear latents describes."""

    channels: int = Field(24, ge=1)
    """Number of principal components."""

    fit_frames: int = Field(2048, ge=1)
    """Frames of the training split that the components are fitted to; a seeded choice if there are more."""

    fit_without: tuple[str, ...] = ()
    """Data sets whose frames are not among these, so that the codec stays as it is when there are more."""

    seed: int = 0
    """Seed of that choice."""

    @model_validator(mode="after")
    def _can_be_made(self) -> "CodecConfig":
        if self.kind == "linear" and self.channels > 3 * self.factor**2:
            raise ValueError(f"blocks of {self.factor} pixels have no {self.channels} components")
        return self


class VideoLatentsConfig(FrozenConfig):
    """How the latents of a frame store are extracted."""

    sample_posterior: bool = False
    """Stores a sample of the autoencoder's posterior, as the published latents are, instead of its mode.
    Noise that is frozen into the data helps nobody: the mode is the default. The linear codec
    has no posterior."""

    seed: int = 0
    """Seed of the samples; every frame has its own noise."""

    dtype: Literal["float16", "float32"] = "float16"
    """How latents are stored. float16 takes half the space and rounds by at most 1 part in 2048."""

    batch_size: int = Field(64, ge=1)
    """Frames that are encoded at once."""

    published: UserPath | None = None
    """Folder of data sets in the published layout: ``<name>/latent_videos/<split>/<id>/<camera>.pt``.
    Where it has a file for a view, that is read instead of encoding the frames. None: all are encoded."""

    picture_frames: int = Field(64, ge=1)
    """Validation frames of each data set that the report measures the codec on."""


class FeaturesConfig(FrozenConfig):
    """What the policy reads off the video model, in one pass from pure noise (section 3.2 of the paper)."""

    block: int = Field(1, ge=0)
    """The up-block whose output is the last one read; those after it are not computed."""

    all_layers: bool = True
    """Reads the blocks before it too, enlarged to its size and joined on channels. The released CALVIN policy
    does; those of other robots do not."""

    step: int = Field(1, ge=1)
    """The denoising step in which features are read; those before it are whole Euler steps."""

    steps: int = Field(20, ge=1)
    """Steps of the schedule. Without effect where ``step`` is 1: the first noise level is always the same."""

    frames_per_second: int = 4
    """Rate in the time ids. The published features use 4, though the video model is trained with 7."""

    motion_bucket: int = 127
    """Motion in the time ids."""

    noise_augmentation: float = 0.0
    """Noise augmentation in the time ids."""

    sigma_min: float = Field(0.002, gt=0)
    """Lowest noise level."""

    sigma_max: float = Field(700.0, gt=0)
    """Highest noise level."""


class LatentsExportConfig(FrozenConfig):
    """Where latents are written in the published layout."""

    folder: UserPath
    """Folder of the data sets; each has its latents and annotations below its name."""
