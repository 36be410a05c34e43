"""Pretraining of Video Prediction Policy's video model on clips of a store."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.pretrain import vpp_video_nodes
from vidrep_pipelines.pipelines.pretrain.shared_pipeline import MACHINE, training_nodes


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
            *training_nodes("vpp"),
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
            *MACHINE,
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
