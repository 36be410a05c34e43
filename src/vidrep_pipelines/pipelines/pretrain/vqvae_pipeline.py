"""Pretraining of VQ-VAE on the frames of a store."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.pretrain import vqvae_nodes
from vidrep_pipelines.pipelines.pretrain.shared_pipeline import MACHINE, export_nodes, training_nodes

_OWN_PARAMETERS = ("run", "data", "model", "objective", "files", "validation", "train")


def create_vqvae_pipeline(namespace: str = "vqvae", own: tuple[str, ...] = _OWN_PARAMETERS) -> Pipeline:
    """Plans and runs the training of VQ-VAE, publishes its checkpoint, shows losses and reconstructions.

    Args:
        namespace: Namespace of its datasets, and of its own parameters.
        own: Which parameters are its own; the others are those of ``vqvae``.
    """
    shared = {f"params:{name}": f"params:vqvae.{name}" for name in _OWN_PARAMETERS if name not in own}
    return Pipeline(
        [
            Node(
                vqvae_nodes.plan_vqvae,
                inputs=[
                    "frame_store",
                    *(f"params:{name}" for name in _OWN_PARAMETERS),
                    "params:launch",
                    "params:folders",
                ],
                outputs="training_spec",
                name="plan",
                tags=["vqvae"],
            ),
            *training_nodes("vqvae"),
            Node(
                vqvae_nodes.paint_vqvae,
                inputs=["checkpoint", "training_spec"],
                outputs=["predictions", "code_use"],
                name="draw_reconstructions",
                tags=["vqvae"],
            ),
        ],
        namespace=namespace,
        inputs={"frame_store"},
        outputs={"checkpoint": f"{namespace}_checkpoint"},
        parameters={
            **{name: name for name in MACHINE},
            **shared,
        },
    )


def create_vqvae_export_pipeline() -> Pipeline:
    """Writes the checkpoint of VQ-VAE in the layout of the original repository."""
    return Pipeline(
        [
            *export_nodes(vqvae_nodes.export_vqvae, "vqvae"),
        ],
        namespace="vqvae",
        inputs={"checkpoint": "vqvae_checkpoint"},
    )
