"""Raw videos to small clips with a known keyframe interval."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.resize import nodes


def create_pipeline() -> Pipeline:
    """Decodes every frame of every video once and writes the clip that training reads, with its verdict."""
    return Pipeline(
        [
            Node(
                nodes.resize_videos,
                inputs=["video_index", "params:resize", "params:fanout"],
                outputs="resized_videos",
                name="resize_videos",
                tags=["cpu", "fanout"],
            ),
            Node(
                nodes.index_resized,
                inputs=["video_index", "resized_videos"],
                outputs="resized_index",
                name="index_resized",
                tags=["cpu"],
            ),
        ],
        namespace="resize",
        inputs={"video_index"},
        outputs={"resized_videos", "resized_index"},
        parameters={"params:resize", "params:fanout"},
    )
