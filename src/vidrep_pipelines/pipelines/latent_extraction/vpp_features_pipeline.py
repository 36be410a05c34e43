"""What a policy sees of the future, stored beside the frames."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.latent_extraction import vpp_features_nodes


def create_vpp_features_pipeline() -> Pipeline:
    """Features of every picture that an item of a policy sees, and how much that is."""
    return Pipeline(
        [
            Node(
                vpp_features_nodes.extract_vpp_features,
                inputs=[
                    "checkpoint",
                    "codec",
                    "frames",
                    "latents",
                    "params:policy_items.items",
                    "params:vpp_features",
                    "params:video_latents.extraction",
                    "params:launch",
                    "params:fanout",
                ],
                outputs="features",
                name="extract_features",
                tags=["vpp", "gpu", "fanout"],
            ),
            Node(
                vpp_features_nodes.report_vpp_features,
                inputs=["features", "params:vpp_features"],
                outputs="report",
                name="report_features",
                tags=["vpp", "cpu"],
            ),
        ],
        namespace="vpp_features",
        inputs={
            "checkpoint": "vpp_video_checkpoint",
            "codec": "video_codec",
            "frames": "robot_frames",
            "latents": "video_latents",
        },
        outputs={"features": "vpp_features"},
        parameters={
            "params:policy_items.items",
            "params:vpp_features",
            "params:video_latents.extraction",
            "params:launch",
            "params:fanout",
        },
    )
