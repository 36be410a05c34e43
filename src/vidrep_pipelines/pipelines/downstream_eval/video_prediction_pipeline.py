"""Predictions of a trained video model: to look at, and measured."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.downstream_eval import video_prediction_nodes as nodes

_OWN = "params:video_prediction"
_MODEL = ["checkpoint", "training_spec", "codec"]
_MODEL_NAMES = {
    "checkpoint": "vpp_video_checkpoint",
    "training_spec": "vpp_video_training_spec",
    "codec": "video_codec",
}


def create_predict_video_pipeline() -> Pipeline:
    """Chosen episodes, with their instructions or new ones, as films and stills."""
    return Pipeline(
        [
            Node(
                nodes.predict_episodes,
                inputs=[*_MODEL, "frames", _OWN, "params:launch", "params:fanout"],
                outputs="films",
                name="predict_episodes",
                tags=["vpp", "gpu", "fanout"],
            ),
            Node(
                nodes.show_predictions,
                inputs="films",
                outputs=["predictions", "contact_sheet"],
                name="show_predictions",
                tags=["vpp", "cpu"],
            ),
        ],
        namespace="video_prediction",
        inputs={**_MODEL_NAMES, "frames": "robot_frames"},
        parameters={_OWN, "params:launch", "params:fanout"},
    )


def create_video_evaluation_pipeline() -> Pipeline:
    """Measures of held-out clips, the counterfactual test, and runs side by side."""
    return Pipeline(
        _measuring() + _counterfactual() + _reporting(),
        namespace="video_prediction",
        inputs={**_MODEL_NAMES, "frames": "robot_frames"},
        parameters={
            _OWN,
            "params:robot_episodes",
            *(f"params:{name}" for name in ("launch", "fanout", "folders", "tracking")),
        },
    )


def _measuring() -> list[Node]:
    shared = [_OWN, "params:launch", "params:folders", "params:tracking"]
    return [
        Node(
            nodes.measure_predictions,
            inputs=[*_MODEL, "frames", *shared],
            outputs=["values", "horizons", "summary", "differences", "losses", "eval_metrics"],
            name="measure_predictions",
            tags=["vpp", "gpu", "eval"],
        ),
    ]


def _counterfactual() -> list[Node]:
    shared = [_OWN, "params:launch", "params:folders", "params:tracking"]
    return [
        Node(
            nodes.film_tables,
            inputs=["frames", "training_spec", _OWN, "params:robot_episodes", "params:fanout"],
            outputs="tables",
            name="film_tables",
            tags=["vpp", "cpu", "fanout"],
        ),
        Node(
            nodes.judge_counterfactuals,
            inputs=[*_MODEL, "tables", *shared],
            outputs=["judged", "counterfactuals", "counterfactual_metrics"],
            name="judge_counterfactuals",
            tags=["vpp", "gpu", "eval"],
        ),
        Node(
            nodes.draw_counterfactuals,
            inputs=[*_MODEL, "tables", _OWN, "params:launch"],
            outputs="counterfactual_sheet",
            name="draw_counterfactuals",
            tags=["vpp", "gpu"],
        ),
    ]


def _reporting() -> list[Node]:
    return [
        Node(
            nodes.draw_measures,
            inputs=["horizons", "losses", "counterfactuals", "params:robot_episodes"],
            outputs=["horizon_chart", "noise_chart", "counterfactual_chart"],
            name="draw_measures",
            tags=["vpp", "cpu"],
        ),
        Node(
            nodes.record_run,
            inputs=["checkpoint", "training_spec", "summary", "differences", "counterfactuals", _OWN],
            outputs="runs",
            name="record_run",
            tags=["vpp", "cpu"],
        ),
        Node(
            nodes.compare_seeds,
            inputs="runs",
            outputs="seeds",
            name="compare_seeds",
            tags=["vpp", "cpu"],
        ),
    ]
