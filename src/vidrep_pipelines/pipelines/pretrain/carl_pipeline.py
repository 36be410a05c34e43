"""Pretraining of CARL and its baselines on long videos."""

from collections.abc import Callable

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.pretrain import carl_nodes
from vidrep_pipelines.pipelines.pretrain.shared_pipeline import MACHINE, export_nodes, training_nodes

_OWN_PARAMETERS = ("run", "data", "model", "objective", "train")


def create_carl_pipeline(namespace: str = "carl", release: str = "pouring") -> Pipeline:
    """Plans and runs the training on the videos of a release, publishes its checkpoint, shows what it does.

    Args:
        namespace: Namespace of its datasets and parameters.
        release: Namespace of the videos and their labels.
    """
    videos = {name: f"{release}_{name}" for name in ("video_frames", "labelled_videos")}
    measured = ["params:validation", "params:embedding", "params:phases"]
    tasks = {"params:phases": f"params:phases_{release}"}
    return _training(namespace, carl_nodes.plan_carl, videos, measured, tasks)


def create_carl_kinetics_pipeline(namespace: str = "carl_kinetics") -> Pipeline:
    """The same on the resized clips of any videos, without labels, as published for Kinetics."""
    clips = {name: name for name in ("clip_table", "resized_videos")}
    return _training(namespace, carl_nodes.plan_carl_on_clips, clips, [], {})


def _training(
    namespace: str,
    plan: Callable[..., object],
    inputs: dict[str, str],
    measured: list[str],
    tasks: dict[str, str],
) -> Pipeline:
    """A training; ``measured``: parameters of what is measured meanwhile; ``tasks``: where some come from."""
    own = [f"params:{name}" for name in _OWN_PARAMETERS]
    return Pipeline(
        [
            Node(
                plan,
                inputs=[*inputs, *own, *measured, "params:launch", "params:folders"],
                outputs="training_spec",
                name="plan",
                tags=["carl"],
            ),
            *training_nodes("carl"),
            Node(
                carl_nodes.paint_carl,
                inputs=["checkpoint", "training_spec"],
                outputs=["predictions", "augmented_views"],
                name="draw_views",
                tags=["carl"],
            ),
        ],
        namespace=namespace,
        inputs=inputs,
        outputs={"checkpoint": f"{namespace}_checkpoint"},
        parameters={
            **tasks,
            **{name: name for name in MACHINE},
        },
    )


def create_carl_export_pipeline(namespace: str = "carl") -> Pipeline:
    """Writes the checkpoint in the layout of the original repository."""
    return Pipeline(
        [
            *export_nodes(carl_nodes.export_carl, "carl"),
        ],
        namespace=namespace,
        inputs={"checkpoint": f"{namespace}_checkpoint"},
    )
