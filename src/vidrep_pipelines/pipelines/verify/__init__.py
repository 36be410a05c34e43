"""Products on disk compared with what was written."""

from vidrep_pipelines.pipelines.verify.data_folder_pipeline import create_verification_pipeline

__all__ = ["create_verification_pipeline"]
