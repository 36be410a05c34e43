"""Instructed robot clips to a frame store."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.ingest import robot_episodes_nodes


def create_robot_episodes_pipeline() -> Pipeline:
    """Published data sets of robot clips, and the sample world's tabletop, to one store."""
    return _robot_pipeline("robot_episodes", "robot_frames")


def create_robot_demos_pipeline() -> Pipeline:
    """The same for what behavior is cloned from: scripted experts of simulators, or published episodes."""
    return _robot_pipeline("robot_demos", "robot_demo_frames")


def _robot_pipeline(namespace: str, frames: str) -> Pipeline:
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
        namespace=namespace,
        outputs={"frames": frames},
        parameters={"params:robot_episodes": f"params:{namespace}", "params:fanout": "params:fanout"},
    )
