"""What an occupancy model knows about the future, on held-out episodes."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.downstream_eval import occupancy_nodes

_SHARED = (
    "params:occupancy",
    "params:occupancy_futures",
    "params:launch",
    "params:folders",
    "params:tracking",
)


def create_occupancy_pipeline(kind: str) -> Pipeline:
    """Measures values, likelihoods and calibration, and shows sampled futures.

    Args:
        kind: Tokenizer whose occupancy model it is: ``vae``, ``dino`` or ``musik``.
    """
    return Pipeline(
        [
            Node(
                occupancy_nodes.measure_occupancy,
                inputs=[
                    "checkpoint",
                    "training_spec",
                    "token_episodes",
                    "params:run",
                    "params:occupancy",
                    "params:launch",
                    "params:folders",
                    "params:tracking",
                ],
                outputs=["occupancy_values", "occupancy_scores", "occupancy_metrics"],
                name="measure_occupancy",
                tags=["voc", "gpu", "eval"],
            ),
            Node(
                occupancy_nodes.occupancy_pictures,
                inputs=["occupancy_values", "occupancy_scores", "params:dmc"],
                outputs=["occupancy_scatter", "occupancy_along_episodes", "occupancy_calibration"],
                name="draw_occupancy",
                tags=["voc"],
            ),
            Node(
                occupancy_nodes.show_futures,
                inputs=[
                    "checkpoint",
                    "training_spec",
                    "token_episodes",
                    "frames",
                    "tokenizer_checkpoint",
                    "params:occupancy_futures",
                    "params:launch",
                ],
                outputs=["occupancy_futures", "occupancy_film"],
                name="draw_futures",
                tags=["voc", "gpu"],
            ),
        ],
        namespace=f"voc_{kind}",
        inputs={
            "checkpoint": f"voc_{kind}_checkpoint",
            "frames": "dmc_frames",
            "tokenizer_checkpoint": f"voc_tokenizer_{kind}_checkpoint",
        },
        parameters={*_SHARED, "params:dmc"},
    )


def create_occupancy_comparison_pipeline(kinds: Sequence[str]) -> Pipeline:
    """Puts the occupancy models of several tokenizers side by side."""
    return Pipeline(
        [
            Node(
                occupancy_nodes.compare_occupancy,
                inputs=list(kinds),
                outputs=["occupancy_comparison", "occupancy_comparison_chart"],
                name="compare_occupancy",
                tags=["voc"],
            )
        ],
        namespace="voc",
        inputs={kind: f"voc_{kind}.occupancy_scores" for kind in kinds},
    )
