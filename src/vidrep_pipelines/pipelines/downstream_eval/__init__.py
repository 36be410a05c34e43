"""What a representation is good for, measured on other tasks; what a reconstruction is worth."""

from vidrep_pipelines.pipelines.downstream_eval.pipeline import (
    create_davis_pipeline,
    create_jhmdb_pipeline,
    create_vip_pipeline,
)
from vidrep_pipelines.pipelines.downstream_eval.reconstruction_pipeline import (
    create_comparison_pipeline,
    create_vqvae_reconstruction_pipeline,
)

__all__ = [
    "create_comparison_pipeline",
    "create_davis_pipeline",
    "create_jhmdb_pipeline",
    "create_vip_pipeline",
    "create_vqvae_reconstruction_pipeline",
]
