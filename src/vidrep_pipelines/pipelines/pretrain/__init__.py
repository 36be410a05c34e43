"""Pretraining of each system on the clips, or the frames, that were prepared."""

from vidrep_pipelines.pipelines.pretrain.carl_pipeline import (
    create_carl_export_pipeline,
    create_carl_kinetics_pipeline,
    create_carl_pipeline,
)
from vidrep_pipelines.pipelines.pretrain.rsp_pipeline import create_rsp_export_pipeline, create_rsp_pipeline
from vidrep_pipelines.pipelines.pretrain.voc_pipeline import (
    create_voc_acting_pipeline,
    create_voc_export_pipeline,
    create_voc_joint_pipeline,
    create_voc_pipeline,
)
from vidrep_pipelines.pipelines.pretrain.voc_tokenizer_pipeline import (
    create_voc_tokenizer_export_pipeline,
    create_voc_tokenizer_pipeline,
)
from vidrep_pipelines.pipelines.pretrain.vpp_policy_pipeline import (
    create_vpp_policy_export_pipeline,
    create_vpp_policy_pipeline,
)
from vidrep_pipelines.pipelines.pretrain.vpp_video_pipeline import (
    create_vpp_video_export_pipeline,
    create_vpp_video_pipeline,
)
from vidrep_pipelines.pipelines.pretrain.vqvae_pipeline import (
    create_vqvae_export_pipeline,
    create_vqvae_pipeline,
)

__all__ = [
    "create_carl_export_pipeline",
    "create_carl_kinetics_pipeline",
    "create_carl_pipeline",
    "create_rsp_export_pipeline",
    "create_rsp_pipeline",
    "create_voc_acting_pipeline",
    "create_voc_export_pipeline",
    "create_voc_joint_pipeline",
    "create_voc_pipeline",
    "create_voc_tokenizer_export_pipeline",
    "create_voc_tokenizer_pipeline",
    "create_vpp_policy_export_pipeline",
    "create_vpp_policy_pipeline",
    "create_vpp_video_export_pipeline",
    "create_vpp_video_pipeline",
    "create_vqvae_export_pipeline",
    "create_vqvae_pipeline",
]
