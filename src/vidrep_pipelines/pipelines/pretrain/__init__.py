"""Pretraining of each system on the clips, or the frames, that were prepared."""

from vidrep_pipelines.pipelines.pretrain.pipeline import create_rsp_export_pipeline, create_rsp_pipeline
from vidrep_pipelines.pipelines.pretrain.vqvae_pipeline import (
    create_vqvae_export_pipeline,
    create_vqvae_pipeline,
)

__all__ = [
    "create_rsp_export_pipeline",
    "create_rsp_pipeline",
    "create_vqvae_export_pipeline",
    "create_vqvae_pipeline",
]
