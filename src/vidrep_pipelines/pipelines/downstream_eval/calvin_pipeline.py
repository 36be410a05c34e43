"""How many instructions in a row a policy follows on CALVIN, and a look at the world before."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.downstream_eval import calvin_nodes as nodes

_OWN = "params:calvin"
_TRAINED = ["policy", "video_model", "codec"]
_TRAINED_NAMES = {
    "policy": "vpp_policy_checkpoint",
    "video_model": "vpp_video_checkpoint",
    "codec": "video_codec",
}


def create_calvin_pipeline() -> Pipeline:
    """The trained policy, or the one that is asked for, beside the floors."""
    evaluate = Node(
        nodes.evaluate_policy,
        inputs=[*_TRAINED, _OWN, "params:launch", "params:fanout"],
        outputs="calvin_blocks",
        name="evaluate_sequences",
        tags=["vpp", "gpu", "fanout"],
    )
    settings = Node(
        nodes.state_policy_settings,
        inputs=[*_TRAINED, _OWN, "params:launch"],
        outputs="calvin_settings",
        name="state_settings",
        tags=["vpp", "cpu"],
    )
    films = Node(
        nodes.film_policy,
        inputs=[*_TRAINED, _OWN, "params:launch", "params:fanout"],
        outputs="calvin_films",
        name="film_sequences",
        tags=["vpp", "gpu", "fanout"],
    )
    return Pipeline(
        [evaluate, settings, films, *_reporting()],
        namespace="calvin",
        inputs=_TRAINED_NAMES,
        parameters={_OWN, "params:launch", "params:fanout", "params:tracking"},
    )


def create_calvin_baselines_pipeline() -> Pipeline:
    """What needs no training: the miniature's expert, and the floors."""
    evaluate = Node(
        nodes.evaluate_baselines,
        inputs=[_OWN, "params:fanout"],
        outputs="calvin_blocks",
        name="evaluate_sequences",
        tags=["vpp", "cpu", "fanout"],
    )
    settings = Node(
        nodes.state_baseline_settings,
        inputs=_OWN,
        outputs="calvin_settings",
        name="state_settings",
        tags=["vpp", "cpu"],
    )
    films = Node(
        nodes.film_baselines,
        inputs=[_OWN, "params:fanout"],
        outputs="calvin_films",
        name="film_sequences",
        tags=["vpp", "cpu", "fanout"],
    )
    return Pipeline(
        [evaluate, settings, films, *_reporting()],
        namespace="calvin_baselines",
        parameters={_OWN, "params:fanout", "params:tracking"},
    )


def create_calvin_check_pipeline() -> Pipeline:
    """Whether the world is what it should be: before a long run."""
    return Pipeline(
        [
            Node(
                nodes.check_calvin_world,
                inputs=_OWN,
                outputs="world_check",
                name="check_world",
                tags=["vpp", "cpu"],
            )
        ],
        namespace="calvin",
        parameters={_OWN},
    )


def _reporting() -> list[Node]:
    return [
        Node(
            nodes.export_attempts_of_films,
            inputs=["calvin_films", _OWN],
            outputs="calvin_export",
            name="export_attempts",
            tags=["vpp", "cpu"],
        ),
        Node(
            nodes.report_sequences,
            inputs=["calvin_blocks", _OWN, "params:tracking"],
            outputs=[
                "calvin_attempts",
                "calvin_sequences",
                "calvin_chains",
                "calvin_lengths",
                "calvin_tasks",
                "calvin_metrics",
            ],
            name="report_sequences",
            tags=["vpp", "cpu", "eval"],
        ),
        Node(
            nodes.draw_sequences,
            inputs=["calvin_chains", "calvin_lengths", "calvin_tasks", _OWN],
            outputs="calvin_chart",
            name="draw_sequences",
            tags=["vpp", "cpu"],
        ),
    ]
