"""What is measured of embeddings of frames, and what is shown."""

from typing import Literal

from pydantic import Field, field_validator

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.data.labelled_videos.inserted_pause import InsertedPauseConfig

EmbeddingTask = Literal[
    "phase_classification",
    "phase_progression",
    "kendall_tau",
    "retrieval",
    "inserted_pause",
    "linear_probe",
    "action_classification",
]


class LinearProbeConfig(FrozenConfig):
    """How the probe is trained. Defaults are the published values (arXiv 2203.14957, section 4)."""

    learning_rate: float = Field(50.0, gt=0)
    """Learning rate of the first epoch; so large because embeddings have unit length. Supervised
    models: 0.1."""

    momentum: float = Field(0.9, ge=0, lt=1)
    """Momentum of stochastic gradient descent."""

    weight_decay: float = Field(1e-6, ge=0)
    """Share of the weights that is added to the gradient."""

    epochs: int = Field(100, ge=1)
    """Passes over the training videos; the rate falls with half a cosine, epoch by epoch."""

    videos_per_batch: int = Field(10, ge=1)
    """A batch is all labelled frames of so many videos; what is left over is not used in that epoch."""

    seed: int = 0
    """Seed of the first weights and of the order of the videos."""


class ShownVideosConfig(FrozenConfig):
    """Which videos are shown, and how."""

    action: str | None = None
    """The action whose videos are shown. None: the first action that has two held-out videos."""

    rule: Literal["lengths", "first"] = "lengths"
    """How the pair is chosen. ``lengths``: the longest and the shortest held-out video of the action, of
    those that show every phase as far as there are two. ``first``: the first two, as published. Without
    two held-out videos of an action, training videos are shown, too."""

    videos: tuple[str, str] | None = None
    """Names of the pair, in place of the rule."""

    match: Literal["warping", "nearest"] = "warping"
    """How frames are assigned: by dynamic time warping, or each to the nearest one."""

    film_frames: int = Field(400, ge=1)
    """Most frames of the film; of a longer video every second or third frame is shown, and so on."""

    frames_per_second: int = Field(12, ge=1)
    """Frames per second of the film."""

    strip_columns: int = Field(8, ge=1)
    """Moments in the strip of stills."""

    queries: int = Field(6, ge=1)
    """Most rows of the retrieval montage; each asks with the middle of a phase."""

    neighbors: int = Field(5, ge=1)
    """Retrieved frames per row."""

    one_per_video: bool = True
    """A row of the montage shows the nearest frame of each of the nearest videos. False: the nearest frames,
    which often follow one another in one video; the measured precision counts these."""

    trajectories: int = Field(4, ge=1)
    """Videos whose paths through the space of embeddings are drawn."""


class PhasesConfig(FrozenConfig):
    """Tasks on embeddings of frames. Strides, shares and neighbors are the published ones."""

    tasks: tuple[EmbeddingTask, ...] = Field(
        ("phase_classification", "phase_progression", "kendall_tau", "retrieval"), min_length=1
    )
    """What is measured. ``linear_probe`` is for releases whose labels are classes and no phases: FineGym.
    ``inserted_pause`` embeds the measured videos once more, with a pause in them."""

    train_split: str = "train"
    """The videos that classifiers and regressors learn from."""

    split: str = "validation"
    """The videos that are measured."""

    fractions: tuple[float, ...] = Field((0.1, 0.5, 1.0), min_length=1)
    """Shares of the training videos, of which the first ones in the published order are taken."""

    stride: int = Field(5, ge=1)
    """Every how many frames Kendall's tau and retrieval use: 5 for Pouring and FineGym, 2 for PennAction."""

    neighbors: tuple[int, ...] = Field((5, 10, 15), min_length=1)
    """Numbers of retrieved frames."""

    pause: InsertedPauseConfig = InsertedPauseConfig()
    """What ``inserted_pause`` inserts."""

    pixels: int | None = Field(None, ge=2, le=64)
    """Side of the small pictures that are measured as a floor. None: they are not."""

    probe: LinearProbeConfig = LinearProbeConfig()
    """Training of the linear probe."""

    resamples: int = Field(10_000, ge=1)
    """How often videos are drawn anew for the 95 % intervals."""

    shown: ShownVideosConfig = ShownVideosConfig()
    """What the pictures show. It changes no number."""

    @field_validator("fractions")
    @classmethod
    def _check_fractions(cls, fractions: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < fraction <= 1 for fraction in fractions) or len(set(fractions)) != len(fractions):
            raise ValueError("fractions must be different numbers in (0, 1]")
        return fractions

    @field_validator("neighbors")
    @classmethod
    def _check_neighbors(cls, neighbors: tuple[int, ...]) -> tuple[int, ...]:
        if min(neighbors) < 1 or len(set(neighbors)) != len(neighbors):
            raise ValueError("neighbors must be different numbers from 1 on")
        return neighbors
