"""Training of the tokenizers of Video Occupancy Models on the frames of episodes."""

from collections.abc import Callable
from typing import Any

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.models.voc.config import OccupancyName, TokenizerName
from vidrep_pipelines.pipelines.pretrain import voc_tokenizer_nodes
from vidrep_pipelines.pipelines.pretrain.shared_pipeline import MACHINE, export_nodes

_PLANS: dict[TokenizerName, Callable[..., dict[str, Any]]] = {
    "vae": voc_tokenizer_nodes.plan_vae,
    "dino": voc_tokenizer_nodes.plan_dino,
    "musik": voc_tokenizer_nodes.plan_musik,
}
_OWN_PARAMETERS = ("run", "model", "objective", "train", "validation")


def create_voc_tokenizer_pipeline(kind: TokenizerName) -> Pipeline:
    """Plans and runs the training of a tokenizer, publishes it, shows losses, frames and codes."""
    return Pipeline(
        [
            Node(
                _PLANS[kind],
                inputs=[
                    "frames",
                    *(f"params:{name}" for name in _OWN_PARAMETERS),
                    "params:launch",
                    "params:folders",
                ],
                outputs="training_spec",
                name="plan",
                tags=["voc"],
            ),
            Node(
                voc_tokenizer_nodes.train_tokenizer,
                inputs=["training_spec", "params:tracking"],
                outputs=["checkpoint", "train_log", "train_metrics"],
                name="train",
                tags=["voc", "gpu", "train"],
            ),
            Node(
                voc_tokenizer_nodes.paint_tokenizer_curves,
                inputs="train_log",
                outputs="loss_curves",
                name="draw_curves",
                tags=["voc"],
            ),
            Node(
                voc_tokenizer_nodes.paint_tokenizer,
                inputs=["checkpoint", "frames"],
                outputs=["predictions", "code_use"],
                name="draw_tokens",
                tags=["voc"],
            ),
        ],
        namespace=f"voc_tokenizer_{kind}",
        inputs={"frames": "dmc_frames"},
        outputs={"checkpoint": f"voc_tokenizer_{kind}_checkpoint"},
        parameters=set(MACHINE),
    )


def create_voc_tokenizer_export_pipeline(kind: OccupancyName) -> Pipeline:
    """Writes a tokenizer's checkpoint in the layout of the original repositories."""
    exports = [
        *export_nodes(voc_tokenizer_nodes.export_tokenizer, "voc"),
    ]
    if kind == "musik":
        exports.append(
            Node(
                voc_tokenizer_nodes.export_action_energy,
                inputs="checkpoint",
                outputs="original_action_energy",
                name="export_action_energy",
                tags=["voc"],
            )
        )
    return Pipeline(
        exports,
        namespace=f"voc_tokenizer_{kind}",
        inputs={"checkpoint": f"voc_tokenizer_{kind}_checkpoint"},
    )
