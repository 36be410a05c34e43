"""VQ-VAEs with several kinds of codes, beside JPEG and fewer pixels, at equal bits."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.downstream_eval import rate_distortion_nodes

_CONFIG, _CLIPS = "params:rate_distortion", "params:measured_clips"
_SHARED = (
    _CONFIG,
    _CLIPS,
    *("params:reconstruction", "params:launch", "params:fanout", "params:tracking"),
    *("params:robonet", "params:ingest"),
)


def create_rate_distortion_pipeline() -> Pipeline:
    """Trains and measures tokenizers, measures plain codecs on the same clips, and compares them."""
    return Pipeline(
        [
            Node(
                rate_distortion_nodes.plan_tokenizers,
                inputs=[_CONFIG, "frame_store", _CLIPS, "params:launch", "params:fanout"],
                outputs="runs",
                name="learn_tokenizers",
                tags=["vqvae", "gpu", "fanout"],
            ),
            Node(
                rate_distortion_nodes.measure_floors,
                inputs=["frame_store", _CLIPS, _CONFIG],
                outputs="floors",
                name="measure_floors",
                tags=["vqvae", "cpu"],
            ),
            Node(
                rate_distortion_nodes.compare_at_equal_bits,
                inputs=["runs", "floors", _CLIPS, "params:reconstruction", "params:tracking"],
                outputs=["values", "summary", "tokenizers", "eval_metrics"],
                name="compare",
                tags=["vqvae", "cpu", "eval"],
            ),
            Node(
                rate_distortion_nodes.frames_at_equal_bits,
                inputs=["runs", "frame_store", _CLIPS, _CONFIG],
                outputs="frames",
                name="draw_frames",
                tags=["vqvae", "cpu"],
            ),
            Node(
                rate_distortion_nodes.rate_distortion_comparison,
                inputs=["summary", "floors", "tokenizers", "frames", "params:robonet", "params:ingest"],
                outputs="comparison",
                name="draw",
                tags=["vqvae", "cpu"],
            ),
        ],
        namespace="rate_distortion",
        inputs={"frame_store"},
        parameters=set(_SHARED),
    )
