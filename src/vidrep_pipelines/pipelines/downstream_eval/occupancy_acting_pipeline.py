"""Whether the values of an occupancy model are good enough to act on."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.models.voc.config import TokenizerName
from vidrep_pipelines.pipelines.downstream_eval import occupancy_acting_nodes


def create_occupancy_acting_pipeline(kind: TokenizerName) -> Pipeline:
    """Episodes in which values choose the actions, beside floors and the expert, and the difference in pairs.

    Args:
        kind: Tokenizer whose tokens the model ``voc_acting`` is trained on.
    """
    return Pipeline(
        [
            Node(
                occupancy_acting_nodes.plan_acting,
                inputs=[
                    "checkpoint",
                    "training_spec",
                    "token_episodes",
                    "tokenizer",
                    "params:occupancy_acting",
                    "params:dmc",
                    "params:sample_agent",
                    "params:launch",
                ],
                outputs="acting_spec",
                name="plan_acting",
                tags=["voc"],
            ),
            Node(
                occupancy_acting_nodes.act_on_values,
                inputs=["acting_spec", "params:fanout"],
                outputs="acting_episodes",
                name="act",
                tags=["voc", "gpu", "fanout"],
            ),
            Node(
                occupancy_acting_nodes.tabulate_acting,
                inputs=["acting_episodes", "params:tracking"],
                outputs=["acting_rows", "acting_summary", "acting_leads", "acting_metrics"],
                name="tabulate_acting",
                tags=["voc", "eval"],
            ),
            Node(
                occupancy_acting_nodes.paint_acting,
                inputs=["acting_summary", "params:dmc"],
                outputs="acting_chart",
                name="draw_acting",
                tags=["voc"],
            ),
        ],
        namespace="voc_acting",
        inputs={
            "checkpoint": "voc_acting_checkpoint",
            "tokenizer": f"voc_tokenizer_{kind}_checkpoint",
        },
        parameters={
            "params:occupancy_acting",
            "params:dmc",
            "params:sample_agent",
            "params:launch",
            "params:fanout",
            "params:tracking",
        },
    )
