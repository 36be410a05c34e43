"""Pretraining of each system on the clips that the label filter kept."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.pretrain import rsp_nodes
from vidrep_pipelines.pipelines.pretrain.shared_pipeline import MACHINE, export_nodes, training_nodes


def create_rsp_pipeline() -> Pipeline:
    """Plans and runs the training of RSP, publishes its checkpoint, shows losses and predictions."""
    return Pipeline(
        [
            Node(
                rsp_nodes.plan_rsp,
                inputs=[
                    "clip_table",
                    "resized_videos",
                    "packet_store",
                    "params:rsp",
                    "params:launch",
                    "params:folders",
                ],
                outputs="training_spec",
                name="plan",
                tags=["rsp"],
            ),
            *training_nodes("rsp"),
            Node(
                rsp_nodes.paint_rsp_predictions,
                inputs=["checkpoint", "training_spec"],
                outputs="predictions",
                name="draw_predictions",
                tags=["rsp"],
            ),
        ],
        namespace="rsp",
        inputs={"clip_table", "resized_videos", "packet_store"},
        outputs={"checkpoint": "rsp_checkpoint"},
        parameters={"params:rsp", *MACHINE},
    )


def create_rsp_export_pipeline() -> Pipeline:
    """Writes RSP's checkpoint in the layout of the original repository, and its encoder as timm opens it."""
    return Pipeline(
        [
            *export_nodes(rsp_nodes.export_rsp, "rsp"),
            Node(
                rsp_nodes.export_rsp_to_timm,
                inputs=["checkpoint", "params:folders"],
                outputs="timm_encoder",
                name="export_to_timm",
                tags=["rsp"],
            ),
        ],
        namespace="rsp",
        inputs={"checkpoint": "rsp_checkpoint"},
        parameters={"params:folders"},
    )
