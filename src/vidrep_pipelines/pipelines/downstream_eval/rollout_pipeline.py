"""A trained policy in closed loop."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.downstream_eval import rollout_nodes


def create_rollout_pipeline() -> Pipeline:
    """Episodes of the policy and its floors, how often the tasks were done, and the difference in pairs."""
    return Pipeline(
        [
            Node(
                rollout_nodes.roll_out_policy,
                inputs=[
                    "policy",
                    "video_model",
                    "codec",
                    "params:rollout",
                    "params:robot_episodes",
                    "params:launch",
                    "params:fanout",
                ],
                outputs="episodes",
                name="roll_out",
                tags=["vpp", "gpu", "fanout"],
            ),
            Node(
                rollout_nodes.film_rollouts,
                inputs=[
                    "policy",
                    "video_model",
                    "codec",
                    "params:rollout",
                    "params:robot_episodes",
                    "params:launch",
                    "params:fanout",
                ],
                outputs="films",
                name="film",
                tags=["vpp", "gpu", "fanout"],
            ),
            Node(
                rollout_nodes.describe_rollouts,
                inputs=["policy", "video_model", "codec", "params:rollout", "params:robot_episodes"],
                outputs="settings",
                name="describe",
                tags=["vpp", "cpu"],
            ),
            Node(
                rollout_nodes.tabulate_rollouts,
                inputs=["episodes", "params:tracking"],
                outputs=["rows", "successes", "comparisons", "eval_metrics"],
                name="tabulate",
                tags=["vpp", "cpu", "eval"],
            ),
            Node(
                rollout_nodes.paint_successes,
                inputs=["successes", "params:rollout"],
                outputs="chart",
                name="draw_successes",
                tags=["vpp", "cpu"],
            ),
        ],
        namespace="rollout",
        inputs={
            "policy": "vpp_policy_checkpoint",
            "video_model": "vpp_video_checkpoint",
            "codec": "video_codec",
        },
        parameters={
            "params:rollout",
            "params:robot_episodes",
            "params:launch",
            "params:fanout",
            "params:tracking",
        },
    )
