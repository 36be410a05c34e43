"""Resized clips to the table of clips that training uses."""

from vidrep_pipelines.pipelines.label_filter.clips_pipeline import create_label_filter_pipeline

__all__ = ["create_label_filter_pipeline"]
