"""Points followed with frozen features: TAP-Vid, or a miniature of it."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.downstream_eval import points_nodes
from vidrep_pipelines.pipelines.downstream_eval.encoder_evaluation_pipeline import (
    RSP,
    create_encoder_evaluation,
)

_CONFIG = "params:eval_points"


def create_points_evaluation_pipeline(checkpoints: Sequence[str] | None = RSP) -> Pipeline:
    """Average Jaccard, average delta and occlusion accuracy of every encoder.

    Args:
        checkpoints: Catalog names of the checkpoints that ``params:encoders`` may name. None: the
            encoders are those of the comparison over all evaluations.
    """
    work = [
        Node(
            points_nodes.follow_point_videos,
            inputs=["videos", "encoders", _CONFIG, "params:fanout"],
            outputs="tracks",
            name="follow",
            tags=["gpu", "fanout"],
        ),
        Node(
            points_nodes.score_point_tracks,
            inputs=["videos", "tracks", _CONFIG, "params:fanout"],
            outputs="scores",
            name="score",
            tags=["cpu", "fanout"],
        ),
        Node(
            points_nodes.summarize_point_tracks,
            inputs=["encoders", "videos", "scores", _CONFIG, "params:tracking"],
            outputs=["summary", "per_video", "eval_metrics"],
            name="summarize",
            tags=["cpu", "eval"],
        ),
    ]
    parameters = (_CONFIG, "params:fanout", "params:tracking", "params:points")
    return create_encoder_evaluation("points", [*work, *_pictures()], checkpoints, ["videos"], parameters)


def _pictures() -> list[Node]:
    return [
        Node(
            points_nodes.points_interval_picture,
            inputs=["summary", _CONFIG, "params:points"],
            outputs="bars",
            name="draw_bars",
            tags=["cpu"],
        ),
        Node(
            points_nodes.points_sheet_picture,
            inputs=["videos", "tracks", "per_video", _CONFIG],
            outputs="sheet",
            name="draw_sheet",
            tags=["cpu"],
        ),
        Node(
            points_nodes.film_point_tracks,
            inputs=["videos", "tracks", "per_video", _CONFIG],
            outputs=["best_film", "worst_film"],
            name="film_extremes",
            tags=["cpu"],
        ),
    ]
