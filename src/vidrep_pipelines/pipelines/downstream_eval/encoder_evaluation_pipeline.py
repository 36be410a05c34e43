"""What the evaluations of encoders have in common: where encoders come from, and what each reads."""

from collections.abc import Collection, Sequence

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.downstream_eval import shared_nodes

RSP = ("rsp_checkpoint",)
SYSTEMS = (*RSP, "carl_checkpoint", "vqvae_checkpoint")
"""Checkpoints that an image encoder can be taken out of."""

COMPARED_ENCODERS = "compared_encoders"
"""The encoders of the comparison over all evaluations."""


def list_encoders_node(checkpoints: Sequence[str], tags: Collection[str] = ("cpu",)) -> Node:
    """Lists the encoders that ``params:encoders`` knows, and that these checkpoints hold."""
    return Node(
        shared_nodes.list_encoders,
        inputs=["params:encoders", *checkpoints],
        outputs="encoders",
        name="list_encoders",
        tags=tags,
    )


def create_encoder_evaluation(
    namespace: str,
    nodes: Sequence[Node],
    checkpoints: Sequence[str] | None,
    inputs: Collection[str],
    parameters: Collection[str],
) -> Pipeline:
    """An evaluation of encoders in its namespace.

    Args:
        namespace: The evaluation's namespace.
        nodes: Its nodes, which read ``encoders``.
        checkpoints: Catalog names of the checkpoints that ``params:encoders`` may name. None: the encoders
            are those of the comparison over all evaluations.
        inputs: Names of what it measures on, in the same namespace.
        parameters: Blocks of parameters that it reads.
    """
    measured_on = {name: f"{namespace}.{name}" for name in inputs}
    if checkpoints is None:
        return Pipeline(
            nodes,
            namespace=namespace,
            inputs={**measured_on, "encoders": COMPARED_ENCODERS},
            parameters=set(parameters),
        )
    return Pipeline(
        [list_encoders_node(checkpoints), *nodes],
        namespace=namespace,
        inputs={**measured_on, **{name: name for name in checkpoints}},
        parameters={"params:encoders", *parameters},
    )
