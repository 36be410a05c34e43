"""Every encoder by every evaluation, in one table: what each is worth, and what it costs."""

import warnings
from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.evaluation.encoder_comparison.table import SUMMARIES
from vidrep_pipelines.pipelines.downstream_eval import compare_encoders_nodes as nodes
from vidrep_pipelines.pipelines.downstream_eval.encoder_evaluation_pipeline import COMPARED_ENCODERS, SYSTEMS
from vidrep_pipelines.pipelines.downstream_eval.label_propagation_pipeline import (
    create_davis_evaluation_pipeline,
    create_jhmdb_evaluation_pipeline,
    create_vip_evaluation_pipeline,
)
from vidrep_pipelines.pipelines.downstream_eval.points_pipeline import create_points_evaluation_pipeline
from vidrep_pipelines.pipelines.downstream_eval.probe_pipeline import create_probe_evaluation_pipeline

COMPARED_CHECKPOINTS = (*SYSTEMS, "voc_tokenizer_vae_checkpoint", "voc_tokenizer_musik_checkpoint")
"""Checkpoints of every system whose encoder is compared."""

_COSTS = "compared_encoder_costs"
_CONFIG = "params:compare_encoders"
_DATA = tuple(f"params:{name}" for name in ("davis", "jhmdb", "vip", "points", "pouring", "probe_clips"))


def create_encoder_comparison_pipeline(checkpoints: Sequence[str] = COMPARED_CHECKPOINTS) -> Pipeline:
    """All evaluations of the same encoders, their cost, and one table of both.

    What an encoder was measured on is not done again unless encoder, data or protocol changed: every
    evaluation keeps its results by encoder and sequence.

    Args:
        checkpoints: Catalog names of the checkpoints that encoders may be taken out of.
    """
    evaluations = (
        create_davis_evaluation_pipeline(None),
        create_jhmdb_evaluation_pipeline(None),
        create_vip_evaluation_pipeline(None),
        create_points_evaluation_pipeline(None),
        create_probe_evaluation_pipeline(None),
        _phases(),
    )
    with warnings.catch_warnings():  # summaries keep the names that their evaluations give them, with a dot
        warnings.filterwarnings("ignore", "One or more dataset names contain '.' characters")
        comparison = _comparison()
    return sum(evaluations, _encoders(checkpoints) + comparison)


def _encoders(checkpoints: Sequence[str]) -> Pipeline:
    return Pipeline(
        [
            Node(
                nodes.list_compared_encoders,
                inputs=["params:encoders", _CONFIG, *checkpoints],
                outputs="encoders",
                name="list_encoders",
                tags=["cpu"],
            ),
            Node(
                nodes.measure_costs,
                inputs=["encoders", _CONFIG, "params:fanout"],
                outputs="costs",
                name="measure_costs",
                tags=["gpu", "fanout"],
            ),
        ],
        namespace="compared_encoders",
        inputs=set(checkpoints),
        outputs={"encoders": COMPARED_ENCODERS, "costs": _COSTS},
        parameters={_CONFIG, "params:encoders", "params:fanout"},
    )


def _phases() -> Pipeline:
    return Pipeline(
        [
            Node(
                nodes.embed_long_videos,
                inputs=["video_frames", "encoders", _CONFIG, "params:fanout"],
                outputs="embeddings",
                name="embed",
                tags=["gpu", "fanout"],
            ),
            Node(
                nodes.measure_encoder_phases,
                inputs=[
                    *("labelled_videos", "embeddings", "encoders"),
                    *("params:phases_pouring", "params:launch", "params:folders"),
                ],
                outputs=["summary", "left_out"],
                name="measure",
                tags=["gpu"],
            ),
        ],
        namespace="encoder_phases",
        inputs={
            "video_frames": "pouring_video_frames",
            "labelled_videos": "pouring_labelled_videos",
            "encoders": COMPARED_ENCODERS,
        },
        parameters={
            _CONFIG,
            *("params:fanout", "params:phases_pouring", "params:launch", "params:folders"),
        },
    )


def _comparison() -> Pipeline:
    summaries = {name.replace(".", "_"): name for name in SUMMARIES}
    return Pipeline(
        [
            Node(
                nodes.tabulate_encoders,
                inputs=["encoders", "costs", _CONFIG, "params:tracking", *summaries],
                outputs=["table", "eval_metrics"],
                name="tabulate",
                tags=["cpu", "eval"],
            ),
            Node(
                nodes.paint_comparison,
                inputs=["table", *_DATA],
                outputs=["chart", "pareto"],
                name="draw_table",
                tags=["cpu"],
            ),
        ],
        namespace="compare_encoders",
        inputs={"encoders": COMPARED_ENCODERS, "costs": _COSTS, **summaries},
        parameters={_CONFIG, "params:tracking", *_DATA},
    )
