"""Which published data sets of robot clips there are to read, layout by layout, each under its own name."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, StringConstraints, model_validator

from vidrep_pipelines.common.config import FrozenConfig, UserPath
from vidrep_pipelines.data.frame_store.config import AspectRule, FramesConfig, FrameStorage, ResizeRule

LAYOUTS = ("instances", "xbot", "something_something", "bridge_raw", "rt1_raw", "calvin", "lerobot")

DataSetName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Cameras = tuple[NonNegativeInt, ...]


class RobotDataSet(FrozenConfig):
    """A data set in a folder, and how its frames are stored where that differs from the other data sets."""

    folder: UserPath
    """Where it is."""
    height: int | None = Field(None, ge=1)
    """Height of its stored frames; none: that of the others."""
    width: int | None = Field(None, ge=1)
    """Width of its stored frames; none: that of the others."""
    resize: ResizeRule | None = None
    """How its pixels are computed; none: as those of the others."""
    aspect: AspectRule | None = None
    """Whether its frames keep their shape; none: as those of the others."""
    storage: FrameStorage | None = None
    """Whether its frames are stored one by one or as films; none: as those of the others."""

    def frames(self, others: FramesConfig) -> FramesConfig:
        """How its frames are prepared, where the others are prepared like this."""
        own = self.model_dump(include={"height", "width", "resize", "aspect", "storage"}, exclude_none=True)
        return FramesConfig.model_validate({**others.model_dump(), **own})


class InstancesDataSet(RobotDataSet):
    """Clips in the layout of Video Prediction Policy: see ``robot_clips/instances.py``."""

    annotations: str | None = None
    """Folder in it that holds the annotations; none: the usual names."""
    cameras: Cameras = ()
    """Read only these; empty: all that are listed."""
    cameras_beside: bool = False
    """Whether videos beside those that are listed are cameras, too."""
    trim: bool = False
    """Whether a video and an annotation of different lengths are used as far as both go."""


class XbotDataSet(RobotDataSet):
    """Raw recordings of a two-armed robot, HDF5: see ``robot_clips/xbot.py``."""

    step: int = Field(5, ge=1)
    """How many recorded steps one step is: 5 of 50 Hz are 10 Hz."""
    all_phases: bool = False
    """Whether the steps between are episodes of their own."""
    hold_out: bool = True
    """Whether every fiftieth recording is held out for validation, as published."""
    cameras: Cameras = ()
    """Read only these; empty: all."""
    colors: Literal["rgb", "bgr"] = "rgb"
    """Order of the channels in the pictures."""
    resize: ResizeRule | None = "letterbox"
    """The published rule of these recordings."""


class SomethingSomethingDataSet(RobotDataSet):
    """Something-Something v2 as published: see ``robot_clips/something_something.py``."""


class BridgeRawDataSet(RobotDataSet):
    """BridgeData V2 as its raw release: see ``robot_clips/bridge.py``."""

    cameras: Cameras = ()
    """Read only these; empty: all."""
    latency: bool = True
    """Whether pictures of the first recordings are known to be late."""


class RldsDataSet(RobotDataSet):
    """RT-1 or BridgeData V2 as TensorFlow Datasets publishes them: see ``robot_clips/rlds.py``."""

    cameras: Cameras = ()
    """Read only these; empty: all."""


class CalvinDataSet(RobotDataSet):
    """CALVIN's own files: see ``calvin/episodes.py``."""

    cameras: tuple[Literal["rgb_static", "rgb_gripper"], ...] = ("rgb_static", "rgb_gripper")
    """Which cameras. To store both in their own sizes, name a data set for each."""
    actions: Literal["relative", "absolute"] = "relative"
    """``rel_actions`` in -1..1, or poses in the world."""
    unannotated: bool = False
    """Whole recordings, instead of one episode for each instruction."""
    language_folder: str = "lang_annotations"
    """Folder below ``training`` and ``validation`` that holds the instructions."""
    resize: ResizeRule | None = "antialiased"
    """The published rule for its pictures."""


class LeRobotDataSet(RobotDataSet):
    """A LeRobotDataset of version 2.1 or 3.0: see ``lerobot/description.py``."""

    cameras: tuple[str, ...] = ()
    """Keys of the cameras; empty: all but depth."""
    state: str | None = "observation.state"
    """Column of the states."""
    action: str | None = "action"
    """Column of the actions."""


class RobotDataSetsConfig(FrozenConfig):
    """Published data sets by layout and name. The name is what a view's ``robot`` is in the store."""

    instances: Mapping[DataSetName, InstancesDataSet] = Field({})
    """Bridge, RT-1, xhand, Something-Something and CALVIN as Video Prediction Policy prepared them."""
    xbot: Mapping[DataSetName, XbotDataSet] = Field({})
    """Raw recordings of the two-armed robot."""
    something_something: Mapping[DataSetName, SomethingSomethingDataSet] = Field({})
    """Something-Something v2."""
    bridge_raw: Mapping[DataSetName, BridgeRawDataSet] = Field({})
    """BridgeData V2, its raw release."""
    rt1_raw: Mapping[DataSetName, RldsDataSet] = Field({})
    """RT-1, or BridgeData V2, as records of TensorFlow Datasets."""
    calvin: Mapping[DataSetName, CalvinDataSet] = Field({})
    """CALVIN's own files."""
    lerobot: Mapping[DataSetName, LeRobotDataSet] = Field({})
    """LeRobotDatasets."""

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [name for layout in LAYOUTS for name in getattr(self, layout)]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two data sets are called {repeated[0]}; give one of them another name")
        return self

    def named(self) -> list[tuple[str, str, RobotDataSet]]:
        """Layout, name and data set of all that are named, layout by layout."""
        return [(layout, name, one) for layout in LAYOUTS for name, one in getattr(self, layout).items()]
