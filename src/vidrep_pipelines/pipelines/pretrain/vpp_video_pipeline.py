"""Pretraining of Video Prediction Policy's video model on clips of a store."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.pretrain import shared_nodes, vpp_video_nodes


def create_vpp_video_pipeline() -> Pipeline:
    """Plans and runs the training, publishes its checkpoint, shows losses and predictions."""
    return Pipeline(
        [
            Node(
                vpp_video_nodes.plan_vpp_video,
                inputs=[
                    "frames",
                    "latents",
                    "codec",
                    "params:video_latents.extraction",
                    "params:vpp_video",
                    "params:launch",
                    "params:folders",
                ],
                outputs="training_spec",
                name="plan",
                tags=["vpp"],
            ),
            Node(
                shared_nodes.train,
                inputs=["training_spec", "params:tracking"],
                outputs=["checkpoint", "train_log", "train_metrics"],
                name="train",
                tags=["vpp", "gpu", "train"],
            ),
            Node(
                shared_nodes.paint_curves,
                inputs="train_log",
                outputs="loss_curves",
                name="draw_curves",
                tags=["vpp"],
            ),
            Node(
                vpp_video_nodes.paint_vpp_video,
                inputs=["checkpoint", "training_spec"],
                outputs="predictions",
                name="draw_predictions",
                tags=["vpp"],
            ),
        ],
        namespace="vpp_video",
        inputs={"frames": "robot_frames", "latents": "video_latents", "codec": "video_codec"},
        outputs={"checkpoint": "vpp_video_checkpoint", "training_spec": "vpp_video_training_spec"},
        parameters={
            "params:video_latents.extraction",
            "params:vpp_video",
            "params:launch",
            "params:folders",
            "params:tracking",
        },
    )


def create_vpp_video_export_pipeline() -> Pipeline:
    """Writes the checkpoint in the layout of diffusers, in which the original publishes its own."""
    return Pipeline(
        [
            Node(
                vpp_video_nodes.export_vpp_video,
                inputs=["checkpoint", "params:vpp_video_export"],
                outputs="exported",
                name="export",
                tags=["vpp"],
            )
        ],
        namespace="vpp_video",
        inputs={"checkpoint": "vpp_video_checkpoint"},
        parameters={"params:vpp_video_export"},
    )
