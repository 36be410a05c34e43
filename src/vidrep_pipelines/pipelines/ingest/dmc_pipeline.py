"""Episodes of an agent to a frame store with actions and rewards."""

from collections.abc import Callable

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.ingest import dmc_nodes


def create_dmc_pipeline() -> Pipeline:
    """Replay buffers, episodes of the DeepMind Control Suite, or of the sample world's arm."""
    return Pipeline(
        [*_reading(), *_storing()],
        namespace="dmc",
        outputs={"frames": "dmc_frames"},
        parameters={"params:dmc", "params:sample_agent", "params:folders", "params:fanout"},
    )


def _reading() -> list[Node]:
    return [
        Node(
            dmc_nodes.list_replay_buffers,
            inputs=["params:dmc"],
            outputs="listing",
            name="list_buffers",
            tags=["cpu"],
        ),
        _fanout(dmc_nodes.read_buffers, ["listing", "params:fanout"], "buffers", "read_buffers"),
        _fanout(
            dmc_nodes.train_policy,
            ["params:dmc", "params:folders", "params:fanout"],
            "policy",
            "train_policy",
        ),
    ]


def _storing() -> list[Node]:
    sources = ["listing", "buffers", "policy"]
    return [
        _fanout(
            dmc_nodes.prepare_dmc_episodes,
            [*sources, "params:dmc", "params:sample_agent", "params:fanout"],
            "episodes",
            "prepare_episodes",
        ),
        _fanout(
            dmc_nodes.assemble_dmc_frames,
            ["episodes", "params:dmc", "params:fanout"],
            "frames",
            "assemble_frames",
        ),
        Node(
            dmc_nodes.report_episodes,
            inputs=["frames", "buffers", "episodes"],
            outputs=["report", "contact_sheet", "film"],
            name="report_episodes",
            tags=["cpu"],
        ),
    ]


def _fanout(function: Callable[..., object], inputs: list[str], output: str, name: str) -> Node:
    return Node(function, inputs=inputs, outputs=output, name=name, tags=["cpu", "fanout"])
