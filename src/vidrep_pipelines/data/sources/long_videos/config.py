"""Where long videos come from and how their frames are stored."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig, UserPath
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.sample_world.config import SampleWorldConfig
from vidrep_pipelines.data.video.profiles import ProfileName

FRAMES = FramesConfig(height=224, width=224, min_frames=2)


class LongVideosConfig(FrozenConfig):
    """What all three releases have in common."""

    root: UserPath | None = None
    """Folder of the release. None: the sample world stands in."""

    world: SampleWorldConfig = SampleWorldConfig(seed=2, activities=("pour",), frames_max=160)
    """What is rendered in its place: clips of one activity at different speeds, with their phases; or of
    several activities, whose phases then are labels of their own."""

    world_validation: float = Field(0.34, gt=0, lt=1)
    """Share of the rendered clips of every activity that is held out."""

    world_test: float = Field(0.0, ge=0, lt=1)
    """Share of the rendered clips of every activity that makes up a split ``test``, which nothing is chosen
    on. 0: there is none."""

    frames: FramesConfig = FRAMES
    """Size of the stored frames. Published are 224 x 224 pixels; the aspect ratio is not kept."""

    shard_mebibytes: int = Field(1024, ge=1)
    """Size of the files of the store."""


class PouringConfig(LongVideosConfig):
    """Pouring (``params:pouring``)."""

    index: bool = False
    """Read the converted release, ``train.pkl`` and ``val.pkl`` with ``videos/*.mp4``, instead of the
    TFRecord files that the authors offer."""


class PennActionConfig(LongVideosConfig):
    """PennAction (``params:penn_action``)."""

    world: SampleWorldConfig = SampleWorldConfig(seed=3, activities=("pour", "stack", "push"), frames_max=160)
    """What is rendered when there is no root; the activities are the actions."""

    index: bool = False
    """Read the converted release, ``train.pkl`` and ``val.pkl`` with ``videos/*.mp4``, instead of the frames
    and label files."""

    phase_labels: UserPath | None = None
    """Folder with ``train`` and ``val`` of the phases (.npy). None: ``penn_action_labels`` in the root."""


class FineGymConfig(LongVideosConfig):
    """FineGym (``params:finegym``)."""

    world: SampleWorldConfig = SampleWorldConfig(seed=4, activities=("pour", "stack", "wave"), frames_max=160)
    """What is rendered when there is no root; every phase of every activity is a class."""

    frames: FramesConfig = FramesConfig(height=360, width=640, min_frames=2, storage="mp4")
    """Size of the stored frames. Published are events of 640 x 360 pixels, from which training and evaluation
    cut their own crops; 34,000 events of that size are kept as films."""

    index: bool = False
    """Read the published lists (``gym99_train_v1.0.pkl``, ...) with ``processed_videos/*.mp4``, instead of
    cutting the events out of the raw videos."""

    raw_videos: UserPath | None = None
    """Folder of ``<youtube id>.{mp4,mkv,webm}``. None: ``videos`` in the root."""

    annotation: str | None = None
    """File in the root. None: ``finegym_annotation_info_v1.0.json``, or that of version 1.1 if it is the only
    one."""

    classes: Literal[99, 288] = 99
    """Which element lists, and how many classes."""

    additional: bool = False
    """Also prepares the events without any labelled element, as the split ``additional``: more videos to
    train on."""

    event_width: int = Field(640, ge=16, multiple_of=2)
    """Width of the cut-out events in pixels; the aspect ratio is not kept."""

    event_height: int = Field(360, ge=16, multiple_of=2)
    """Height of the cut-out events in pixels."""

    event_frames_per_second: int = Field(25, ge=1)
    """Frame rate of the cut-out events."""

    event_profile: ProfileName = "train"
    """How the cut-out events are encoded."""

    def raw_folder(self, root: Path) -> Path:
        """Folder of the raw videos of the release in ``root``."""
        return (self.raw_videos or root / "videos").absolute()


class FineGymFeaturesConfig(FrozenConfig):
    """The published embeddings of FineGym's frames (``params:carl_finegym_features``)."""

    root: UserPath | None = None
    """Folder with ``finegym_eval_trainset`` and ``finegym_eval_valset``. None: there are none to evaluate."""

    classes: Literal[99, 288] = 99
    """How many classes their labels are of."""
