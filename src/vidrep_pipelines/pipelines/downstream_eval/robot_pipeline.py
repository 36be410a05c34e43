"""Behavior cloned on frozen features of demonstrations, tried out in closed loop."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.downstream_eval import robot_nodes
from vidrep_pipelines.pipelines.downstream_eval.encoder_evaluation_pipeline import list_encoders_node

_CONFIG = "params:eval_robot"
_DEMOS = "params:robot_demos"


def create_robot_evaluation_pipeline(checkpoints: Sequence[str] = ("rsp_checkpoint",)) -> Pipeline:
    """How often heads on the features of every encoder do their tasks.

    Args:
        checkpoints: Catalog names of the checkpoints that ``params:encoders`` may name.
    """
    return Pipeline(
        [
            list_encoders_node(checkpoints),
            Node(
                robot_nodes.extract_demonstrations,
                inputs=["frames", "encoders", _CONFIG, _DEMOS, "params:fanout"],
                outputs="features",
                name="extract",
                tags=["gpu", "fanout"],
            ),
            Node(
                robot_nodes.clone_heads,
                inputs=["frames", "encoders", "features", _CONFIG, _DEMOS, "params:fanout"],
                outputs="heads",
                name="clone",
                tags=["gpu", "fanout"],
            ),
            Node(
                robot_nodes.roll_out_to_choose,
                inputs=["frames", "encoders", "heads", _CONFIG, _DEMOS, "params:fanout"],
                outputs="selection",
                name="roll_out_to_choose",
                tags=["gpu", "fanout"],
            ),
            Node(
                robot_nodes.choose_heads,
                inputs=["heads", "selection", _CONFIG],
                outputs="chosen",
                name="choose",
                tags=["cpu"],
            ),
            Node(
                robot_nodes.roll_out_heads,
                inputs=["frames", "encoders", "heads", "chosen", _CONFIG, _DEMOS, "params:fanout"],
                outputs="episodes",
                name="roll_out",
                tags=["gpu", "fanout"],
            ),
            Node(
                robot_nodes.tabulate_robot,
                inputs=["frames", "encoders", "episodes", "chosen", _CONFIG, _DEMOS, "params:tracking"],
                outputs=["rows", "summary", "comparisons", "settings", "eval_metrics"],
                name="tabulate",
                tags=["cpu", "eval"],
            ),
            Node(
                robot_nodes.robot_success_picture,
                inputs=["summary", _CONFIG, _DEMOS],
                outputs="bars",
                name="draw_bars",
                tags=["cpu"],
            ),
        ],
        namespace="robot",
        inputs={"frames": "robot_demo_frames", **{name: name for name in checkpoints}},
        parameters={_CONFIG, _DEMOS, "params:encoders", "params:fanout", "params:tracking"},
    )
