"""Episodes of robots to the items that a policy is trained on."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.ingest import policy_items_nodes


def create_policy_items_pipeline() -> Pipeline:
    """The ranges of actions and states over the items of a store."""
    return Pipeline(
        [
            Node(
                policy_items_nodes.summarize_policy_items,
                inputs=["frames", "params:policy_items.items"],
                outputs="statistics",
                name="summarize_items",
                tags=["vpp", "cpu"],
            )
        ],
        namespace="policy_items",
        inputs={"frames": "robot_frames"},
        outputs={"statistics": "policy_items_statistics"},
        parameters={"params:policy_items.items"},
    )


def create_policy_items_export_pipeline() -> Pipeline:
    """The items as the authors keep them."""
    return Pipeline(
        [
            Node(
                policy_items_nodes.export_policy_items,
                inputs=["frames", "statistics", "params:policy_items.items", "params:policy_items.export"],
                outputs="exported",
                name="export_items",
                tags=["vpp", "cpu"],
            )
        ],
        namespace="policy_items",
        inputs={"frames": "robot_frames", "statistics": "policy_items_statistics"},
        parameters={"params:policy_items.items", "params:policy_items.export"},
    )
