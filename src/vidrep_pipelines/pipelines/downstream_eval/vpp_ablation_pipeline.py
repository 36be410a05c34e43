"""What makes a policy succeed: policies that differ in one thing or two, in one table."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.downstream_eval import vpp_ablation_nodes
from vidrep_pipelines.pipelines.downstream_eval.encoder_evaluation_pipeline import list_encoders_node

_ENCODERS = ("rsp_checkpoint", "vqvae_checkpoint")
_CONFIG = "params:ablate_vpp_policy"


def create_vpp_ablation_pipeline() -> Pipeline:
    """Features of many kinds, a policy on each and with other changes, and how often each succeeds.

    Which these are is said by parameters, so that the graph does not grow with them.
    """
    return Pipeline(
        [*_features(), *_policies(), *_comparison(), *_scores()],
        namespace="ablate_vpp_policy",
        inputs={
            "video_model": "vpp_video_checkpoint",
            "video_spec": "vpp_video_training_spec",
            "codec": "video_codec",
            "frames": "robot_frames",
            **{name: name for name in _ENCODERS},
        },
        outputs={"policies": "ablate_vpp_policy_checkpoints"},
        parameters={
            _CONFIG,
            "params:encoders",
            "params:policy_items.items",
            "params:vpp_features",
            "params:vpp_policy",
            "params:video_prediction",
            "params:robot_episodes",
            "params:launch",
            "params:fanout",
            "params:folders",
            "params:tracking",
        },
    )


def _features() -> list[Node]:
    return [
        list_encoders_node(_ENCODERS, ("vpp", "cpu")),
        Node(
            vpp_ablation_nodes.publish_earlier_video_models,
            inputs=["video_model", "video_spec", _CONFIG],
            outputs="video_models",
            name="publish_earlier",
            tags=["vpp", "cpu"],
        ),
        Node(
            vpp_ablation_nodes.describe_feature_sets,
            inputs=[
                "video_model",
                "video_models",
                "codec",
                "frames",
                "encoders",
                _CONFIG,
                "params:vpp_features",
            ],
            outputs="feature_sets",
            name="describe_features",
            tags=["vpp", "cpu"],
        ),
        Node(
            vpp_ablation_nodes.extract_feature_sets,
            inputs=[
                "feature_sets",
                "frames",
                "params:policy_items.items",
                _CONFIG,
                "params:vpp_features",
                "params:launch",
                "params:fanout",
            ],
            outputs="features",
            name="extract_features",
            tags=["vpp", "gpu", "fanout"],
        ),
    ]


def _policies() -> list[Node]:
    return [
        Node(
            vpp_ablation_nodes.plan_policies,
            inputs=[
                "feature_sets",
                "features",
                "frames",
                "params:policy_items.items",
                _CONFIG,
                "params:vpp_policy",
                "params:robot_episodes",
                "params:launch",
                "params:folders",
            ],
            outputs="training_specs",
            name="plan",
            tags=["vpp"],
        ),
        Node(
            vpp_ablation_nodes.train_policies,
            inputs=["training_specs", "params:tracking"],
            outputs=["policies", "train_log", "train_metrics"],
            name="train",
            tags=["vpp", "gpu", "train"],
        ),
    ]


def _comparison() -> list[Node]:
    return [
        Node(
            vpp_ablation_nodes.roll_out_policies,
            inputs=[
                "policies",
                "feature_sets",
                _CONFIG,
                "params:robot_episodes",
                "params:launch",
                "params:fanout",
            ],
            outputs="episodes",
            name="roll_out",
            tags=["vpp", "gpu", "fanout"],
        ),
        Node(
            vpp_ablation_nodes.tabulate_policies,
            inputs=["episodes", "feature_sets", "training_specs", _CONFIG, "params:tracking"],
            outputs=["rows", "table", "eval_metrics"],
            name="tabulate",
            tags=["vpp", "cpu", "eval"],
        ),
        Node(
            vpp_ablation_nodes.paint_ablation,
            inputs=["table", "params:robot_episodes"],
            outputs="chart",
            name="draw_table",
            tags=["vpp", "cpu"],
        ),
    ]


def _scores() -> list[Node]:
    return [
        Node(
            vpp_ablation_nodes.film_asked_tables,
            inputs=["frames", "video_spec", _CONFIG, "params:robot_episodes", "params:fanout"],
            outputs="tables",
            name="film_tables",
            tags=["vpp", "cpu", "fanout"],
        ),
        Node(
            vpp_ablation_nodes.ask_video_models,
            inputs=[
                "feature_sets",
                "tables",
                "video_spec",
                "params:video_prediction",
                "params:launch",
                "params:fanout",
            ],
            outputs="answers",
            name="ask_video_models",
            tags=["vpp", "gpu", "fanout"],
        ),
        Node(
            vpp_ablation_nodes.relate_scores,
            inputs=[
                "answers",
                "table",
                "feature_sets",
                _CONFIG,
                "params:video_prediction",
                "params:tracking",
            ],
            outputs=["instruction_scores", "instruction_metrics"],
            name="relate_scores",
            tags=["vpp", "cpu", "eval"],
        ),
        Node(
            vpp_ablation_nodes.paint_scores,
            inputs="instruction_scores",
            outputs="score_chart",
            name="draw_scores",
            tags=["vpp", "cpu"],
        ),
    ]
