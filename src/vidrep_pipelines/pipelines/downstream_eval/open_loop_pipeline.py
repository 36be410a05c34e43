"""Recorded episodes past a trained policy."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.downstream_eval import open_loop_nodes


def create_open_loop_pipeline() -> Pipeline:
    """Predicted against recorded actions: rows, errors with intervals, one picture."""
    return Pipeline(
        [
            Node(
                open_loop_nodes.replay_recorded,
                inputs=[
                    "policy",
                    "video_model",
                    "codec",
                    "frames",
                    "params:open_loop",
                    "params:robot_episodes",
                    "params:launch",
                ],
                outputs="rows",
                name="replay",
                tags=["vpp", "gpu"],
            ),
            Node(
                open_loop_nodes.measure_replay,
                inputs=["rows", "params:open_loop", "params:tracking"],
                outputs=["errors", "eval_metrics"],
                name="measure",
                tags=["vpp", "cpu", "eval"],
            ),
            Node(
                open_loop_nodes.draw_replay,
                inputs=["rows", "errors", "params:robot_episodes"],
                outputs="chart",
                name="draw",
                tags=["vpp", "cpu"],
            ),
        ],
        namespace="open_loop",
        inputs={
            "policy": "vpp_policy_checkpoint",
            "video_model": "vpp_video_checkpoint",
            "codec": "video_codec",
            "frames": "robot_frames",
        },
        parameters={
            "params:open_loop",
            "params:robot_episodes",
            "params:launch",
            "params:tracking",
        },
    )
