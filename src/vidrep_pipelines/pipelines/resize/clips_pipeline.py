"""Raw videos to small clips with a known keyframe interval."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.resize import clips_nodes


def create_resize_pipeline() -> Pipeline:
    """Decodes every frame of every video once and writes the clip that training reads, with its verdict."""
    return Pipeline(
        [
            Node(
                clips_nodes.resize_videos,
                inputs=["video_index", "params:resize", "params:fanout"],
                outputs="resized_videos",
                name="resize_videos",
                tags=["cpu", "fanout"],
            ),
            Node(
                clips_nodes.index_resized,
                inputs=["video_index", "resized_videos"],
                outputs="resized_index",
                name="index_resized",
                tags=["cpu"],
            ),
            Node(
                clips_nodes.build_packet_store,
                inputs=["resized_videos", "params:fanout"],
                outputs="packet_store",
                name="build_packet_store",
                tags=["cpu", "fanout"],
            ),
        ],
        namespace="resize",
        inputs={"video_index"},
        outputs={"resized_videos", "resized_index", "packet_store"},
        parameters={"params:resize", "params:fanout"},
    )


def create_tar_pipeline() -> Pipeline:
    """Packs the clips into few large files, for file systems that dislike many small ones."""
    return Pipeline(
        [
            Node(
                clips_nodes.pack_tar_shards,
                inputs=["resized_videos", "params:tar_shards", "params:fanout"],
                outputs="tar_shards",
                name="pack_tar_shards",
                tags=["cpu", "fanout"],
            )
        ],
        namespace="resize",
        inputs={"resized_videos"},
        outputs={"tar_shards"},
        parameters={"params:tar_shards", "params:fanout"},
    )
