"""Label propagation with frozen features: DAVIS-2017, JHMDB and VIP, or miniatures of them."""

from collections.abc import Callable, Sequence

from kedro.pipeline import Node, Pipeline
from PIL.Image import Image

from vidrep_pipelines.pipelines.downstream_eval import label_propagation_nodes
from vidrep_pipelines.pipelines.downstream_eval.encoder_evaluation_pipeline import (
    RSP,
    create_encoder_evaluation,
)

_INTERVAL_PICTURES: dict[str, Callable[..., Image]] = {
    "davis": label_propagation_nodes.davis_interval_picture,
    "jhmdb": label_propagation_nodes.jhmdb_interval_picture,
    "vip": label_propagation_nodes.vip_interval_picture,
}


def create_davis_evaluation_pipeline(checkpoints: Sequence[str] | None = RSP) -> Pipeline:
    """Objects: J&F, and results in the layout of the official toolkit.

    Args:
        checkpoints: Catalog names of the checkpoints that ``params:encoders`` may name. None: the
            encoders are those of the comparison over all evaluations.
    """
    export = Node(
        label_propagation_nodes.export_davis,
        inputs=["sequences", "propagated", "scores", "params:davis"],
        outputs="results",
        name="export_results",
        tags=["cpu"],
    )
    return _create_pipeline("davis", checkpoints, [export])


def create_jhmdb_evaluation_pipeline(checkpoints: Sequence[str] | None = RSP) -> Pipeline:
    """Joints: PCK, and the share of joints that it leaves out.

    Args:
        checkpoints: Catalog names of the checkpoints that ``params:encoders`` may name. None: the
            encoders are those of the comparison over all evaluations.
    """
    return _create_pipeline("jhmdb", checkpoints, [])


def create_vip_evaluation_pipeline(checkpoints: Sequence[str] | None = RSP) -> Pipeline:
    """Parts: mIoU with and without the given frame, and results as index images.

    Args:
        checkpoints: Catalog names of the checkpoints that ``params:encoders`` may name. None: the
            encoders are those of the comparison over all evaluations.
    """
    export = Node(
        label_propagation_nodes.export_vip,
        inputs=["sequences", "propagated"],
        outputs="results",
        name="export_results",
        tags=["cpu"],
    )
    return _create_pipeline("vip", checkpoints, [export])


def _create_pipeline(task: str, checkpoints: Sequence[str] | None, export: list[Node]) -> Pipeline:
    config = f"params:eval_{task}"
    work = [
        Node(
            label_propagation_nodes.propagate_labels,
            inputs=["sequences", "encoders", config, "params:fanout"],
            outputs="propagated",
            name="propagate",
            tags=["gpu", "fanout"],
        ),
        Node(
            label_propagation_nodes.score_predictions,
            inputs=["sequences", "propagated", config, "params:fanout"],
            outputs="scores",
            name="score",
            tags=["cpu", "fanout"],
        ),
        Node(
            label_propagation_nodes.summarize_scores,
            inputs=["encoders", "sequences", "scores", config, "params:tracking"],
            outputs=["summary", "per_object", "per_sequence", "eval_metrics"],
            name="summarize",
            tags=["cpu", "eval"],
        ),
    ]
    parameters = (config, "params:fanout", "params:tracking", f"params:{task}")
    nodes = [*work, *_pictures(task, config), *export]
    return create_encoder_evaluation(task, nodes, checkpoints, ["sequences"], parameters)


def _pictures(task: str, config: str) -> list[Node]:
    return [
        Node(
            _INTERVAL_PICTURES[task],
            inputs=["summary", "sequences", config, f"params:{task}"],
            outputs="bars",
            name="draw_bars",
            tags=["cpu"],
        ),
        Node(
            label_propagation_nodes.sheet_picture,
            inputs=["sequences", "propagated", "per_sequence", config],
            outputs="sheet",
            name="draw_sheet",
            tags=["cpu"],
        ),
        Node(
            label_propagation_nodes.film_extremes,
            inputs=["sequences", "propagated", "per_sequence", config],
            outputs=["best_film", "worst_film"],
            name="film_extremes",
            tags=["cpu"],
        ),
    ]
