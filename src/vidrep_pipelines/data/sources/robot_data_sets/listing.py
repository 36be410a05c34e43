"""Who lists the episodes of a published data set, layout by layout."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from vidrep_pipelines.data.frame_store.episode import EpisodeSource
from vidrep_pipelines.data.sources.calvin.episodes import CalvinOptions
from vidrep_pipelines.data.sources.calvin.listing import list_calvin_episodes
from vidrep_pipelines.data.sources.lerobot.description import LeRobotOptions
from vidrep_pipelines.data.sources.lerobot.episodes import list_lerobot_episodes
from vidrep_pipelines.data.sources.robot_clips.bridge import list_bridge
from vidrep_pipelines.data.sources.robot_clips.instances import list_instances
from vidrep_pipelines.data.sources.robot_clips.rlds import list_rlds
from vidrep_pipelines.data.sources.robot_clips.something_something import list_something_something
from vidrep_pipelines.data.sources.robot_clips.xbot import list_xbot
from vidrep_pipelines.data.sources.robot_data_sets.config import (
    BridgeRawDataSet,
    CalvinDataSet,
    InstancesDataSet,
    LeRobotDataSet,
    RldsDataSet,
    RobotDataSet,
    SomethingSomethingDataSet,
    XbotDataSet,
)


def list_data_set(layout: str, name: str, data_set: RobotDataSet) -> list[EpisodeSource]:
    """The episodes of a data set; no file of an episode is opened yet.

    Raises:
        InputError: The folder holds nothing of this layout.
        ConfigurationError: A camera or column is named that it does not have.
    """
    return list(_LISTERS[layout](name, data_set))


def _instances(name: str, data_set: InstancesDataSet) -> Sequence[EpisodeSource]:
    return list_instances(
        data_set.folder,
        name,
        annotations=data_set.annotations,
        cameras=data_set.cameras,
        cameras_beside=data_set.cameras_beside,
        trim=data_set.trim,
    )


def _xbot(name: str, data_set: XbotDataSet) -> Sequence[EpisodeSource]:
    return list_xbot(
        data_set.folder,
        name,
        step=data_set.step,
        all_phases=data_set.all_phases,
        hold_out=data_set.hold_out,
        cameras=data_set.cameras,
        colors=data_set.colors,
    )


def _something_something(name: str, data_set: SomethingSomethingDataSet) -> Sequence[EpisodeSource]:
    return list_something_something(data_set.folder, name)


def _bridge_raw(name: str, data_set: BridgeRawDataSet) -> Sequence[EpisodeSource]:
    return list_bridge(data_set.folder, name, cameras=data_set.cameras, latency=data_set.latency)


def _rlds(name: str, data_set: RldsDataSet) -> Sequence[EpisodeSource]:
    return list_rlds(data_set.folder, name, cameras=data_set.cameras)


def _calvin(name: str, data_set: CalvinDataSet) -> Sequence[EpisodeSource]:
    options = CalvinOptions(
        cameras=data_set.cameras,
        actions=data_set.actions,
        unannotated=data_set.unannotated,
        language_folder=data_set.language_folder,
    )
    return list_calvin_episodes(data_set.folder, options, name)


def _lerobot(name: str, data_set: LeRobotDataSet) -> Sequence[EpisodeSource]:
    options = LeRobotOptions(cameras=data_set.cameras, state=data_set.state, action=data_set.action)
    return list_lerobot_episodes(data_set.folder, options, name)


_LISTERS: Mapping[str, Callable[[str, Any], Sequence[EpisodeSource]]] = MappingProxyType(
    {
        "instances": _instances,
        "xbot": _xbot,
        "something_something": _something_something,
        "bridge_raw": _bridge_raw,
        "rt1_raw": _rlds,
        "calvin": _calvin,
        "lerobot": _lerobot,
    }
)
"""Who lists the data sets of a field of :class:`RobotDataSetsConfig`."""
