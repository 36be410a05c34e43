"""RoboNet files, or any videos, to a frame store."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.ingest import robonet_nodes


def create_robonet_pipeline() -> Pipeline:
    """RoboNet (``robonet.root``), a folder of videos (``ingest.root``), or rendered trajectories."""
    return Pipeline(
        [*_reading(), *_storing()],
        namespace="robonet",
        outputs={"frame_store"},
        parameters={
            "params:robonet": "params:robonet",
            "params:ingest": "params:ingest",
            "params:fanout": "params:fanout",
            "params:clips": "params:robonet_clips",
            "params:frames": "params:frame_store.frames",
            "params:views": "params:frame_store.views",
        },
    )


def _reading() -> list[Node]:
    return [
        Node(
            robonet_nodes.render_robonet_clips,
            inputs=["params:robonet", "params:ingest", "params:clips", "params:fanout"],
            outputs="clips",
            name="render_clips",
            tags=["cpu", "fanout"],
        ),
        Node(
            robonet_nodes.list_robonet_files,
            inputs=["clips", "params:robonet", "params:ingest"],
            outputs=["listing", "unlisted"],
            name="list_files",
            tags=["cpu"],
        ),
        Node(
            robonet_nodes.read_metadata,
            inputs=["listing", "params:robonet", "params:fanout"],
            outputs="headers",
            name="read_metadata",
            tags=["cpu", "fanout"],
        ),
        Node(
            robonet_nodes.tabulate_metadata,
            inputs=["listing", "headers"],
            outputs="metadata",
            name="tabulate_metadata",
            tags=["cpu"],
        ),
    ]


def _storing() -> list[Node]:
    return [
        Node(
            robonet_nodes.prepare_robonet_episodes,
            inputs=["listing", "headers", "clips", "params:robonet", "params:frames", "params:fanout"],
            outputs="episodes",
            name="prepare_episodes",
            tags=["cpu", "fanout"],
        ),
        Node(
            robonet_nodes.assemble_store,
            inputs=["episodes", "params:frames", "params:views", "params:fanout"],
            outputs="frame_store",
            name="assemble_store",
            tags=["cpu", "fanout"],
        ),
        Node(
            robonet_nodes.report_store,
            inputs=["frame_store", "headers", "episodes"],
            outputs=["report", "contact_sheet"],
            name="report_store",
            tags=["cpu"],
        ),
    ]
