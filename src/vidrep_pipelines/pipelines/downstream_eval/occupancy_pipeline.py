"""What an occupancy model knows about the future, on held-out episodes."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.models.voc.config import OccupancyName, ReleasedName
from vidrep_pipelines.pipelines.downstream_eval import occupancy_nodes

_SHARED = (
    "params:occupancy",
    "params:launch",
    "params:folders",
    "params:tracking",
)


def create_occupancy_pipeline(kind: OccupancyName) -> Pipeline:
    """Measures values, likelihoods and calibration, and shows sampled futures.

    Args:
        kind: Tokenizer whose occupancy model it is; ``joint``: the one that was trained along with it.
    """
    return _measuring(kind) + Pipeline(
        [
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
            )
        ],
        namespace=f"voc_{kind}",
        inputs={
            "checkpoint": f"voc_{kind}_checkpoint",
            "frames": "dmc_frames",
            "tokenizer_checkpoint": f"voc_tokenizer_{kind}_checkpoint",
        },
        parameters={"params:occupancy_futures", "params:launch"},
    )


def create_released_occupancy_pipeline(kind: ReleasedName) -> Pipeline:
    """The same on published codes, beside which there are no frames to be shown."""
    return _measuring(kind)


def _measuring(kind: OccupancyName | ReleasedName) -> Pipeline:
    joint, released = kind == "joint", kind.endswith("_released")
    draw = occupancy_nodes.released_occupancy_pictures if released else occupancy_nodes.occupancy_pictures
    return Pipeline(
        [
            Node(
                occupancy_nodes.measure_joint_occupancy if joint else occupancy_nodes.measure_occupancy,
                inputs=[
                    "checkpoint",
                    "training_spec",
                    "token_episodes",
                    *([] if joint else ["params:run"]),
                    *_SHARED,
                ],
                outputs=["occupancy_values", "occupancy_scores", "occupancy_metrics"],
                name="measure_occupancy",
                tags=["voc", "gpu", "eval"],
            ),
            Node(
                draw,
                inputs=["occupancy_values", "occupancy_scores", "params:source"],
                outputs=["occupancy_scatter", "occupancy_along_episodes", "occupancy_calibration"],
                name="draw_occupancy",
                tags=["voc"],
            ),
        ],
        namespace=f"voc_{kind}",
        inputs={"checkpoint": f"voc_{kind}_checkpoint"},
        parameters={
            **{name: name for name in _SHARED},
            "params:source": f"params:voc_{kind}_latents" if released else "params:dmc",
        },
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
