"""Occupancy models on toy Markov chains, where occupancy and values are known exactly."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.downstream_eval import occupancy_chains_nodes

_CONFIG = "params:occupancy_chains"


def create_occupancy_chains_pipeline() -> Pipeline:
    """Draws chains, trains small models on them in every way, scores them and compares the scores."""
    return Pipeline(
        [
            Node(
                occupancy_chains_nodes.plan_chain_runs,
                inputs=[_CONFIG, "params:fanout"],
                outputs="runs",
                name="learn_chains",
                tags=["cpu", "fanout"],
            ),
            Node(
                occupancy_chains_nodes.compare_chain_runs,
                inputs=["runs", _CONFIG, "params:tracking"],
                outputs=["scores", "summary", "eval_metrics"],
                name="compare",
                tags=["cpu", "eval"],
            ),
            Node(
                occupancy_chains_nodes.gather_curves,
                inputs="runs",
                outputs="curves",
                name="gather_curves",
                tags=["cpu"],
            ),
            Node(
                occupancy_chains_nodes.chain_picture,
                inputs=["scores", "curves"],
                outputs="comparison",
                name="draw",
                tags=["cpu"],
            ),
        ],
        namespace="occupancy_chains",
        parameters={_CONFIG, "params:fanout", "params:tracking"},
    )
