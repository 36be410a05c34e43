"""Parameters of the episodes that occupancy models are trained on."""

from typing import Self

from pydantic import model_validator

from vidrep_pipelines.common.config import FrozenConfig, UserPath
from vidrep_pipelines.data.frame_store.config import FramesConfig, FrameStoreConfig, SplitConfig
from vidrep_pipelines.data.sample_world.agent_config import AgentEpisodesConfig
from vidrep_pipelines.data.sources.dm_control.config import ControlConfig


class DmcConfig(FrozenConfig):
    """Where episodes come from (``params:dmc``): what is set of the first two, else the sample world."""

    replay_buffer: UserPath | None = None
    """Folder of replay buffers in the layout of V-D4RL, ``.hdf5`` or ``.npz``, at any depth."""

    control: ControlConfig | None = None
    """Episodes of the DeepMind Control Suite (extra ``robots``), collected here."""

    agent: AgentEpisodesConfig = AgentEpisodesConfig()
    """Episodes of the sample world's arm."""

    frames: FramesConfig = FramesConfig(height=84, width=84)
    """How frames are stored."""

    store: FrameStoreConfig = FrameStoreConfig(name="dmc", split=SplitConfig(validation=0.1, test=0.1))
    """How the store is made of the episodes; the split is by episode."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.replay_buffer is not None and self.control is not None:
            raise ValueError(
                "dmc.replay_buffer and dmc.control are both set. Remedy: set one of them to null"
            )
        return self
