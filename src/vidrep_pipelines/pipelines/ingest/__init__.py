"""Raw videos to a typed index."""

from vidrep_pipelines.pipelines.ingest.pipeline import create_kinetics_pipeline, create_pipeline

__all__ = ["create_kinetics_pipeline", "create_pipeline"]
