"""What keyframe intervals and readers cost on the user's own videos."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.measure_video_io import video_io_nodes


def create_video_io_pipeline() -> Pipeline:
    """Encodes a few videos in several ways and measures bytes, quality and reading times of each."""
    return Pipeline(
        [
            Node(
                video_io_nodes.choose_measured_clips,
                inputs=["video_index", "params:measure_video_io"],
                outputs="chosen_clips",
                name="choose_clips",
                tags=["cpu"],
            ),
            Node(
                video_io_nodes.encode_clips,
                inputs=["chosen_clips", "params:measure_video_io", "params:resize", "params:fanout"],
                outputs="encoded_clips",
                name="encode_clips",
                tags=["cpu", "fanout"],
            ),
            Node(
                video_io_nodes.time_access,
                inputs=["encoded_clips", "params:measure_video_io"],
                outputs="access_times",
                name="time_access",
                tags=["cpu"],
            ),
            Node(
                video_io_nodes.summarize_video_io,
                inputs=["encoded_clips", "access_times", "params:measure_video_io", "params:resize"],
                outputs=["encodings", "report"],
                name="summarize",
                tags=["cpu"],
            ),
            Node(
                video_io_nodes.paint_access, inputs="encodings", outputs="picture", name="draw", tags=["cpu"]
            ),
        ],
        namespace="measure_video_io",
        inputs={"video_index"},
        parameters={"params:measure_video_io", "params:resize", "params:fanout"},
    )
