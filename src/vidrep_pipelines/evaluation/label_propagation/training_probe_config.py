"""When a representation is measured while it is trained, and on what."""

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig, UserPath
from vidrep_pipelines.data.sample_world.config import SampleWorldConfig
from vidrep_pipelines.evaluation.label_propagation.config import FrameSize, PropagationConfig
from vidrep_pipelines.evaluation.label_propagation.settings import RunSettings


class TrainingProbeConfig(FrozenConfig):
    """A quick DAVIS-style evaluation during training (``params:rsp.probe``). It changes no weight."""

    every: int | None = Field(None, ge=1)
    """Passes over the data between two measurements; the end is always measured. None: never."""

    davis: UserPath | None = None
    """Folder `DAVIS` of DAVIS-2017 to take sequences of the validation list from. None: clips of the sample
    world that no training sees, rendered in memory."""

    sequences: int = Field(4, ge=1)
    """How many, from the start of the list."""

    frames: int = Field(16, ge=3)
    """Frames of each sequence, from its start."""

    world: SampleWorldConfig = SampleWorldConfig(seed=1, width=160, height=120, frames_min=16, frames_max=16)
    """What is rendered. Its number of clips is that of `sequences`, its length that of `frames`."""

    settings: RunSettings = RunSettings(
        propagation=PropagationConfig(),
        frame_size=FrameSize(),
        normalization="published",
        stamp="fixed",
    )
    """How labels are propagated."""

    frames_per_batch: int = Field(16, ge=1)
    """Frames that the network sees at once."""
