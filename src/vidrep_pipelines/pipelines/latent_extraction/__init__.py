"""Whole data sets through a trained encoder."""

from vidrep_pipelines.pipelines.latent_extraction.pipeline import create_vqvae_pipeline

__all__ = ["create_vqvae_pipeline"]
