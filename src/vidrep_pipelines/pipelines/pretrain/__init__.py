"""Pretraining of each system on the clips that the label filter kept."""

from vidrep_pipelines.pipelines.pretrain.pipeline import create_rsp_export_pipeline, create_rsp_pipeline

__all__ = ["create_rsp_export_pipeline", "create_rsp_pipeline"]
