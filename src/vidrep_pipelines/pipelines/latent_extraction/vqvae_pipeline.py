"""Whole data sets through a trained encoder."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.latent_extraction import vqvae_nodes


def create_vqvae_extraction_pipeline() -> Pipeline:
    """The codes of every frame of the store, shard by shard, and pictures decoded from them."""
    return Pipeline(
        [
            Node(
                vqvae_nodes.extract_vqvae_codes,
                inputs=[
                    "checkpoint",
                    "frame_store",
                    "params:latent_extraction",
                    "params:launch",
                    "params:fanout",
                ],
                outputs="codes",
                name="extract_codes",
                tags=["vqvae", "gpu", "fanout"],
            ),
            Node(
                vqvae_nodes.show_vqvae_codes,
                inputs=["checkpoint", "codes"],
                outputs=["codes_report", "codes_histogram", "decoded"],
                name="show_codes",
                tags=["vqvae"],
            ),
        ],
        namespace="vqvae",
        inputs={"frame_store": "frame_store", "checkpoint": "vqvae_checkpoint"},
        parameters={
            "params:latent_extraction": "params:vqvae.latent_extraction",
            "params:launch": "params:launch",
            "params:fanout": "params:fanout",
        },
    )
