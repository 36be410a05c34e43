"""The part of a system's pretraining that is the same in all of them."""

from collections.abc import Callable
from typing import Any

from kedro.pipeline import Node

from vidrep_pipelines.pipelines.pretrain import shared_nodes

MACHINE = ("params:launch", "params:folders", "params:tracking")
"""Parameters that every training reads."""


def training_nodes(tag: str) -> list[Node]:
    """Trains what ``training_spec`` says, publishes ``checkpoint``, and shows losses.

    Args:
        tag: The system's.
    """
    return [
        Node(
            shared_nodes.train,
            inputs=["training_spec", "params:tracking"],
            outputs=["checkpoint", "train_log", "train_metrics"],
            name="train",
            tags=[tag, "gpu", "train"],
        ),
        Node(
            shared_nodes.paint_curves,
            inputs="train_log",
            outputs="loss_curves",
            name="draw_curves",
            tags=[tag],
        ),
    ]


def export_nodes(export: Callable[..., Any], tag: str) -> list[Node]:
    """Writes ``checkpoint`` in the layout of the original repository, and what that leaves out.

    Args:
        export: Gives the content of the file.
        tag: The system's.
    """
    return [
        Node(export, inputs="checkpoint", outputs="original_checkpoint", name="export", tags=[tag]),
        Node(
            shared_nodes.describe_export,
            inputs="checkpoint",
            outputs="original_description",
            name="describe_export",
            tags=[tag],
        ),
    ]
