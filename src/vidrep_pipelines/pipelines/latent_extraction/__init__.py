"""Whole data sets through a trained encoder."""

from vidrep_pipelines.pipelines.latent_extraction.carl_pipeline import (
    create_carl_extraction_pipeline,
    create_finegym_features_pipeline,
    create_original_carl_extraction_pipeline,
)
from vidrep_pipelines.pipelines.latent_extraction.video_latents_pipeline import (
    create_video_latents_export_pipeline,
    create_video_latents_pipeline,
)
from vidrep_pipelines.pipelines.latent_extraction.voc_pipeline import (
    create_released_latents_pipeline,
    create_voc_extraction_pipeline,
)
from vidrep_pipelines.pipelines.latent_extraction.vpp_features_pipeline import create_vpp_features_pipeline
from vidrep_pipelines.pipelines.latent_extraction.vqvae_pipeline import create_vqvae_extraction_pipeline

__all__ = [
    "create_carl_extraction_pipeline",
    "create_finegym_features_pipeline",
    "create_original_carl_extraction_pipeline",
    "create_released_latents_pipeline",
    "create_video_latents_export_pipeline",
    "create_video_latents_pipeline",
    "create_voc_extraction_pipeline",
    "create_vpp_features_pipeline",
    "create_vqvae_extraction_pipeline",
]
