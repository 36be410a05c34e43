"""Pretraining of Video Prediction Policy's policy on what a video model predicts."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.pretrain import vpp_policy_nodes
from vidrep_pipelines.pipelines.pretrain.shared_pipeline import MACHINE, export_nodes, training_nodes


def create_vpp_policy_pipeline() -> Pipeline:
    """Says what is seen, plans and runs the training, publishes its checkpoint, shows losses and actions."""
    return Pipeline(
        [
            Node(
                vpp_policy_nodes.describe_seen_features,
                inputs=["video_model", "codec", "frames", "latents", "features", "params:vpp_features"],
                outputs="seen",
                name="describe_features",
                tags=["vpp"],
            ),
            Node(
                vpp_policy_nodes.plan_vpp_policy,
                inputs=[
                    "frames",
                    "seen",
                    "statistics",
                    "params:policy_items.items",
                    "params:vpp_policy",
                    "params:robot_episodes",
                    "params:launch",
                    "params:folders",
                ],
                outputs="training_spec",
                name="plan",
                tags=["vpp"],
            ),
            *training_nodes("vpp"),
            Node(
                vpp_policy_nodes.paint_vpp_policy,
                inputs=["checkpoint", "training_spec"],
                outputs="predictions",
                name="draw_actions",
                tags=["vpp"],
            ),
        ],
        namespace="vpp_policy",
        inputs={
            "frames": "robot_frames",
            "latents": "video_latents",
            "codec": "video_codec",
            "video_model": "vpp_video_checkpoint",
            "features": "vpp_features",
            "statistics": "policy_items_statistics",
        },
        outputs={"checkpoint": "vpp_policy_checkpoint"},
        parameters={
            "params:vpp_features",
            "params:policy_items.items",
            "params:vpp_policy",
            "params:robot_episodes",
            *MACHINE,
        },
    )


def create_vpp_policy_export_pipeline() -> Pipeline:
    """Writes the checkpoint in the layout of the original repository."""
    return Pipeline(
        [
            *export_nodes(vpp_policy_nodes.export_vpp_policy, "vpp"),
        ],
        namespace="vpp_policy",
        inputs={"checkpoint": "vpp_policy_checkpoint"},
    )
