"""Pretraining of each system on the clips that the label filter kept."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.pretrain import rsp_nodes, shared_nodes


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
            Node(
                shared_nodes.train,
                inputs=["training_spec", "params:tracking"],
                outputs=["checkpoint", "train_log", "train_metrics"],
                name="train",
                tags=["rsp", "gpu", "train"],
            ),
            Node(
                shared_nodes.paint_curves,
                inputs="train_log",
                outputs="loss_curves",
                name="draw_curves",
                tags=["rsp"],
            ),
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
        parameters={"params:rsp", "params:launch", "params:folders", "params:tracking"},
    )


def create_rsp_export_pipeline() -> Pipeline:
    """Writes RSP's checkpoint in the layout of the original repository, and its encoder as timm opens it."""
    return Pipeline(
        [
            Node(
                rsp_nodes.export_rsp,
                inputs="checkpoint",
                outputs="original_checkpoint",
                name="export",
                tags=["rsp"],
            ),
            Node(
                shared_nodes.describe_export,
                inputs="checkpoint",
                outputs="original_description",
                name="describe_export",
                tags=["rsp"],
            ),
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
