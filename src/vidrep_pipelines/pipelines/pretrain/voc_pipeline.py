"""Training of occupancy models on token episodes."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.models.voc.config import OccupancyName, ReleasedName, TokenizerName
from vidrep_pipelines.pipelines.pretrain import shared_nodes, voc_joint_nodes, voc_nodes, voc_tokenizer_nodes
from vidrep_pipelines.pipelines.pretrain.shared_pipeline import MACHINE, export_nodes, training_nodes

_OWN_PARAMETERS = ("run", "model", "objective", "train", "validation")


def create_voc_pipeline(kind: TokenizerName | ReleasedName) -> Pipeline:
    """Plans and runs the training of an occupancy model, publishes it, shows losses and values."""
    return _training(f"voc_{kind}")


def create_voc_acting_pipeline(kind: TokenizerName) -> Pipeline:
    """The same of ``voc_acting``, a model that is conditioned on actions, on the tokens of a tokenizer."""
    shared = Node(
        voc_nodes.share_tokens, inputs="tokens", outputs="shared", name="share_tokens", tags=["voc"]
    )
    return _training("voc_acting") + Pipeline(
        [shared],
        namespace="voc",
        inputs={"tokens": f"voc_{kind}.token_episodes"},
        outputs={"shared": "voc_acting.token_episodes"},
    )


def _training(namespace: str) -> Pipeline:
    return Pipeline(
        [
            Node(
                voc_nodes.plan_voc,
                inputs=[
                    "token_episodes",
                    *(f"params:{name}" for name in _OWN_PARAMETERS),
                    "params:launch",
                    "params:folders",
                ],
                outputs="training_spec",
                name="plan",
                tags=["voc"],
            ),
            *training_nodes("voc"),
            Node(
                voc_nodes.paint_values,
                inputs=["checkpoint", "training_spec"],
                outputs="predictions",
                name="draw_values",
                tags=["voc"],
            ),
        ],
        namespace=namespace,
        outputs={"checkpoint": f"{namespace}_checkpoint"},
        parameters=set(MACHINE),
    )


def create_voc_export_pipeline(kind: OccupancyName) -> Pipeline:
    """Writes an occupancy model in the layout of the original repository: GPT and reward head."""
    return Pipeline(
        [
            *export_nodes(voc_nodes.export_gpt, "voc"),
            Node(
                voc_nodes.export_reward_head,
                inputs="checkpoint",
                outputs="original_reward_head",
                name="export_reward_head",
                tags=["voc"],
            ),
        ],
        namespace=f"voc_{kind}",
        inputs={"checkpoint": f"voc_{kind}_checkpoint"},
    )


def create_voc_joint_pipeline() -> Pipeline:
    """Trains a tokenizer ``vae`` and an occupancy model together, from pixels; shows losses and frames.

    They are published as ``voc_tokenizer_joint`` and ``voc_joint``, like those that are trained one after the
    other.
    """
    own = ("run", "tokenizer", "tokenizer_objective", "model", "objective", "train", "validation")
    return Pipeline(
        [
            Node(
                voc_joint_nodes.plan_joint,
                inputs=[
                    "frames",
                    *(f"params:{name}" for name in own),
                    "params:launch",
                    "params:folders",
                ],
                outputs="training_spec",
                name="plan",
                tags=["voc"],
            ),
            Node(
                voc_joint_nodes.train_joint,
                inputs=["training_spec", "params:tracking"],
                outputs=["tokenizer", "checkpoint", "train_log", "train_metrics"],
                name="train",
                tags=["voc", "gpu", "train"],
            ),
            Node(
                shared_nodes.paint_curves,
                inputs="train_log",
                outputs="loss_curves",
                name="draw_curves",
                tags=["voc"],
            ),
            Node(
                voc_tokenizer_nodes.paint_tokenizer,
                inputs=["tokenizer", "frames"],
                outputs=["predictions", "code_use"],
                name="draw_tokens",
                tags=["voc"],
            ),
        ],
        namespace="voc_joint",
        inputs={"frames": "dmc_frames"},
        outputs={"tokenizer": "voc_tokenizer_joint_checkpoint", "checkpoint": "voc_joint_checkpoint"},
        parameters=set(MACHINE),
    )
