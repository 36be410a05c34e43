"""TAP-Vid, or the sample world's points in its layout, to a table of videos."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.ingest import points_nodes
from vidrep_pipelines.pipelines.ingest.label_sequences_pipeline import create_label_clips_pipeline


def create_points_pipeline() -> Pipeline:
    """TAP-Vid's DAVIS or RGB-Stacking part (``points.root``) or a miniature of the first."""
    ingest = Pipeline(
        [
            Node(
                points_nodes.request_points_miniature,
                inputs=["label_clips", "params:points", "params:label_miniature"],
                outputs="miniature",
                name="write_miniature",
                tags=["cpu"],
            ),
            Node(
                points_nodes.unpack_points,
                inputs=["miniature", "params:points", "params:fanout"],
                outputs="release",
                name="unpack",
                tags=["cpu", "fanout"],
            ),
            Node(
                points_nodes.index_points,
                inputs=["release"],
                outputs="videos",
                name="index_videos",
                tags=["cpu"],
            ),
        ],
        namespace="points",
        inputs={"label_clips"},
        parameters={"params:points", "params:label_miniature", "params:fanout"},
    )
    return create_label_clips_pipeline() + ingest
