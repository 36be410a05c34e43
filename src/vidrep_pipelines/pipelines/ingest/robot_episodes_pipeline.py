"""Instructed robot clips to a frame store."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.ingest import robot_episodes_nodes


def create_robot_episodes_pipeline() -> Pipeline:
    """Published data sets of robot clips, and the sample world's tabletop, to one store."""
    return Pipeline(
        [
            Node(
                robot_episodes_nodes.prepare_robot_episodes,
                inputs=["params:robot_episodes", "params:fanout"],
                outputs="episodes",
                name="prepare_episodes",
                tags=["cpu", "fanout"],
            ),
            Node(
                robot_episodes_nodes.assemble_robot_frames,
                inputs=["episodes", "params:robot_episodes", "params:fanout"],
                outputs="frames",
                name="assemble_frames",
                tags=["cpu", "fanout"],
            ),
            Node(
                robot_episodes_nodes.report_robot_episodes,
                inputs=["frames", "episodes"],
                outputs=["report", "contact_sheet", "film"],
                name="report_episodes",
                tags=["cpu"],
            ),
        ],
        namespace="robot_episodes",
        outputs={"frames": "robot_frames"},
        parameters={"params:robot_episodes", "params:fanout"},
    )
