"""Raw videos to a typed index."""

from vidrep_pipelines.pipelines.ingest.pipeline import create_pipeline

__all__ = ["create_pipeline"]
