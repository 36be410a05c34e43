"""Raw videos to a typed index."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.ingest import videos_nodes


def create_videos_pipeline() -> Pipeline:
    """Renders the sample world when no videos were named, lists and opens the videos, writes the index."""
    return Pipeline(
        [
            Node(
                videos_nodes.render_sample_world,
                inputs=["params:ingest", "params:sample_world", "params:fanout"],
                outputs="sample_world",
                name="render_sample_world",
                tags=["cpu", "fanout"],
            ),
            Node(
                videos_nodes.list_raw_videos,
                inputs=["sample_world", "params:ingest"],
                outputs=["listing", "unknown_clips"],
                name="list_videos",
                tags=["cpu"],
            ),
            *_indexing(),
        ],
        namespace="ingest",
        outputs={"sample_world", "video_index"},
        parameters={"params:ingest", "params:sample_world", "params:fanout"},
    )


def create_kinetics_pipeline() -> Pipeline:
    """Unpacks the archives of Kinetics, sorts the clips into classes, opens them, writes the index."""
    return Pipeline(
        [
            Node(
                videos_nodes.unpack_archives,
                inputs=["params:kinetics", "params:fanout"],
                outputs="archives",
                name="unpack_archives",
                tags=["cpu", "fanout"],
            ),
            Node(
                videos_nodes.list_kinetics,
                inputs=["archives", "params:kinetics"],
                outputs=["listing", "unknown_clips"],
                name="list_kinetics",
                tags=["cpu"],
            ),
            *_indexing(),
        ],
        namespace="ingest",
        outputs={"video_index"},
        parameters={"params:kinetics", "params:fanout"},
    )


def _indexing() -> list[Node]:
    return [
        Node(
            videos_nodes.probe_videos,
            inputs=["listing", "params:fanout"],
            outputs="probes",
            name="probe_videos",
            tags=["cpu", "fanout"],
        ),
        Node(
            videos_nodes.build_index,
            inputs=["listing", "probes"],
            outputs="video_index",
            name="build_index",
            tags=["cpu"],
        ),
    ]
