"""Raw videos to a typed index."""

from vidrep_pipelines.pipelines.ingest.dmc_pipeline import create_dmc_pipeline
from vidrep_pipelines.pipelines.ingest.policy_items_pipeline import (
    create_policy_items_export_pipeline,
    create_policy_items_pipeline,
)
from vidrep_pipelines.pipelines.ingest.robonet_pipeline import create_robonet_pipeline
from vidrep_pipelines.pipelines.ingest.robot_episodes_pipeline import (
    create_robot_demos_pipeline,
    create_robot_episodes_pipeline,
)
from vidrep_pipelines.pipelines.ingest.videos_pipeline import create_kinetics_pipeline, create_videos_pipeline

__all__ = [
    "create_dmc_pipeline",
    "create_kinetics_pipeline",
    "create_policy_items_export_pipeline",
    "create_policy_items_pipeline",
    "create_robonet_pipeline",
    "create_robot_demos_pipeline",
    "create_robot_episodes_pipeline",
    "create_videos_pipeline",
]
