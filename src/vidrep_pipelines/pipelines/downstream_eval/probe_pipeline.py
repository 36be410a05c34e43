"""Probes on clip labels with frozen features: nearest neighbors, linear, attentive."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.downstream_eval import probe_nodes
from vidrep_pipelines.pipelines.downstream_eval.encoder_evaluation_pipeline import (
    RSP,
    create_encoder_evaluation,
)

_CONFIG = "params:eval_probe"


def create_probe_evaluation_pipeline(checkpoints: Sequence[str] | None = RSP) -> Pipeline:
    """Accuracy of every head on the features of every encoder.

    Args:
        checkpoints: Catalog names of the checkpoints that ``params:encoders`` may name. None: the
            encoders are those of the comparison over all evaluations.
    """
    nodes = [
        Node(
            probe_nodes.extract_clip_features,
            inputs=["clips", "encoders", _CONFIG, "params:fanout"],
            outputs="features",
            name="extract",
            tags=["gpu", "fanout"],
        ),
        Node(
            probe_nodes.train_heads,
            inputs=["clips", "features", "encoders", _CONFIG, "params:fanout"],
            outputs="answers",
            name="train_heads",
            tags=["gpu", "fanout"],
        ),
        Node(
            probe_nodes.summarize_probes,
            inputs=["encoders", "clips", "features", "answers", _CONFIG, "params:tracking"],
            outputs=["summary", "per_class", "confusion", "eval_metrics"],
            name="summarize",
            tags=["cpu", "eval"],
        ),
        Node(
            probe_nodes.probe_interval_picture,
            inputs=["summary", _CONFIG, "params:probe_clips"],
            outputs="bars",
            name="draw_bars",
            tags=["cpu"],
        ),
        Node(
            probe_nodes.probe_confusion_picture,
            inputs=["confusion", _CONFIG],
            outputs="confusion_picture",
            name="draw_confusion",
            tags=["cpu"],
        ),
    ]
    parameters = (_CONFIG, "params:fanout", "params:tracking", "params:probe_clips")
    return create_encoder_evaluation("probe", nodes, checkpoints, ["clips"], parameters)
