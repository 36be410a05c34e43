"""What the embeddings of the frames of long videos are worth."""

from collections.abc import Callable

from kedro.pipeline import Node, Pipeline
from PIL.Image import Image

from vidrep_pipelines.pipelines.downstream_eval import phases_nodes
from vidrep_pipelines.pipelines.latent_extraction import carl_nodes

_TABLES = ["phases_summary", "phases_per_action", "phases_left_out", "phases_metrics"]
_SHARED = ("params:launch", "params:folders", "params:tracking")


def create_phases_pipeline(namespace: str = "carl", release: str = "pouring") -> Pipeline:
    """Measures trained and untrained embeddings of a release side by side, and shows what they find alike.

    Args:
        namespace: The model's namespace.
        release: Namespace of the videos and their labels; the tasks are those of ``params:phases_<release>``.
    """
    embedded = ["embeddings", "untrained_embeddings", "params:phases"]
    return Pipeline(
        [
            Node(
                carl_nodes.embed_paused_videos,
                inputs=[
                    *("checkpoint", "untrained_checkpoint", "video_frames"),
                    *("params:embedding", "params:phases", "params:launch", "params:fanout"),
                ],
                outputs="paused_embeddings",
                name="extract_paused_embeddings",
                tags=["carl", "gpu", "fanout"],
            ),
            Node(
                phases_nodes.measure_phases,
                inputs=[
                    *("labelled_videos", "video_frames", "embeddings", "untrained_embeddings"),
                    *("paused_embeddings", "params:phases", *_SHARED),
                ],
                outputs=_TABLES,
                name="measure_phases",
                tags=["carl", "gpu", "eval"],
            ),
            Node(
                phases_nodes.phases_pictures,
                inputs=["labelled_videos", "video_frames", *embedded],
                outputs=[
                    "phases_alignment",
                    "phases_alignment_strip",
                    "phases_retrieval",
                    "phases_similarity",
                    "phases_trajectories",
                ],
                name="draw_phases",
                tags=["carl"],
            ),
            _bars(phases_nodes.measures_picture, "labelled_videos", "params:release"),
        ],
        namespace=namespace,
        inputs={
            **{name: f"{release}_{name}" for name in ("labelled_videos", "video_frames")},
            "checkpoint": f"{namespace}_checkpoint",
        },
        parameters={
            "params:phases": f"params:phases_{release}",
            "params:release": f"params:{release}",
            **{name: name for name in (*_SHARED, "params:fanout")},
        },
    )


def create_given_phases_pipeline(namespace: str, release: str) -> Pipeline:
    """Measures embeddings from elsewhere beside a clock; there are no videos to be shown.

    Args:
        namespace: Namespace of the embeddings and their labels.
        release: The tasks are those of ``params:phases_<release>``.
    """
    return Pipeline(
        [
            Node(
                phases_nodes.measure_given_phases,
                inputs=["published_videos", "embeddings", "params:phases", *_SHARED],
                outputs=_TABLES,
                name="measure_phases",
                tags=["carl", "gpu", "eval"],
            ),
            _bars(phases_nodes.given_measures_picture, "published_videos", "params:given"),
        ],
        namespace=namespace,
        parameters={
            "params:phases": f"params:phases_{release}",
            "params:given": f"params:{namespace}",
            **{name: name for name in _SHARED},
        },
    )


def _bars(draw: Callable[..., Image], videos: str, measured_on: str) -> Node:
    return Node(
        draw,
        inputs=["phases_summary", videos, "params:phases", measured_on],
        outputs="phases_bars",
        name="draw_bars",
        tags=["carl"],
    )
