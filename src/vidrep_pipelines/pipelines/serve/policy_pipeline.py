"""A trained policy at work."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.serve import policy_nodes


def create_serve_policy_pipeline() -> Pipeline:
    """The service alone, on checkpoints that are there: where a robot is, nothing is trained."""
    return Pipeline(
        [
            Node(
                policy_nodes.serve_trained_policy,
                inputs=[
                    "policy",
                    "video_model",
                    "codec",
                    "params:serve_policy",
                    "params:robot_episodes",
                    "params:launch",
                ],
                outputs=None,
                name="serve",
                tags=["vpp", "gpu", "serve"],
            )
        ],
        namespace="serve_policy",
        inputs={
            "policy": "vpp_policy_checkpoint",
            "video_model": "vpp_video_checkpoint",
            "codec": "video_codec",
        },
        parameters={"params:serve_policy", "params:robot_episodes", "params:launch"},
    )
