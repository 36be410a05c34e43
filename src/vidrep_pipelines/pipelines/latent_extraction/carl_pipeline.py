"""Whole videos through CARL."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.latent_extraction import carl_nodes as nodes
from vidrep_pipelines.pipelines.pretrain import carl_nodes as training_nodes


def create_carl_extraction_pipeline(namespace: str = "carl", release: str = "pouring") -> Pipeline:
    """Embeddings of every frame of a release by the trained weights, and by those that it started from.

    Args:
        namespace: The model's namespace.
        release: Namespace of the videos.
    """
    return Pipeline(
        [
            _embed("checkpoint", "embeddings"),
            Node(
                training_nodes.initialize_carl,
                inputs="training_spec",
                outputs="untrained_checkpoint",
                name="initialize",
                tags=["carl"],
            ),
            _embed("untrained_checkpoint", "untrained_embeddings"),
        ],
        namespace=namespace,
        inputs={"video_frames": f"{release}_video_frames", "checkpoint": f"{namespace}_checkpoint"},
        parameters={name: name for name in ("params:launch", "params:fanout")},
    )


def create_original_carl_extraction_pipeline(
    namespace: str = "carl_original", release: str = "pouring"
) -> Pipeline:
    """The same embeddings by a checkpoint of the original code, and by its floor; nothing is trained.

    Args:
        namespace: The model's namespace, and that of its parameters ``checkpoint`` and ``embedding``.
        release: Namespace of the videos.
    """
    return Pipeline(
        [
            Node(
                nodes.open_original_carl,
                inputs=["params:checkpoint", "params:folders"],
                outputs=["checkpoint", "untrained_checkpoint"],
                name="open",
                tags=["carl"],
            ),
            _embed("checkpoint", "embeddings"),
            _embed("untrained_checkpoint", "untrained_embeddings"),
        ],
        namespace=namespace,
        inputs={"video_frames": f"{release}_video_frames"},
        outputs={"checkpoint": f"{namespace}_checkpoint"},
        parameters={name: name for name in ("params:launch", "params:fanout", "params:folders")},
    )


def create_finegym_features_pipeline(namespace: str = "carl_finegym_features") -> Pipeline:
    """The embeddings of FineGym that the authors publish, and their labels."""
    return Pipeline(
        [
            Node(
                nodes.read_finegym_features,
                inputs=["params:features", "params:fanout"],
                outputs="embeddings",
                name="read_features",
                tags=["carl", "fanout"],
            ),
            Node(
                nodes.label_finegym_features,
                inputs="params:features",
                outputs="published_videos",
                name="label_features",
                tags=["carl", "cpu"],
            ),
        ],
        namespace=namespace,
        parameters={"params:features": f"params:{namespace}", "params:fanout": "params:fanout"},
    )


def _embed(checkpoint: str, embeddings: str) -> Node:
    return Node(
        nodes.embed_videos,
        inputs=[checkpoint, "video_frames", "params:embedding", "params:launch", "params:fanout"],
        outputs=embeddings,
        name=f"extract_{embeddings}",
        tags=["carl", "gpu", "fanout"],
    )
