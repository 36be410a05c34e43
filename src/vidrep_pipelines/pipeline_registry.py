"""The table of public pipeline names."""

from kedro.pipeline import Pipeline

from vidrep_pipelines.pipelines import (
    downstream_eval,
    ingest,
    label_filter,
    latent_extraction,
    measure_video_io,
    pretrain,
    resize,
)
from vidrep_pipelines.pipelines.ingest.label_sequences_pipeline import (
    create_davis_pipeline,
    create_jhmdb_pipeline,
    create_vip_pipeline,
)
from vidrep_pipelines.pipelines.ingest.long_videos_pipeline import (
    create_finegym_pipeline,
    create_penn_action_pipeline,
    create_pouring_pipeline,
)


def register_pipelines() -> dict[str, Pipeline]:
    """Builds every pipeline that ``kedro run --pipelines NAME`` knows.

    A public pipeline contains all that it needs from raw video on, so that its name alone is enough on a
    fresh clone. What is already there and unchanged is not done again. Stage names alone are public too.
    """
    stages = {
        "ingest": ingest.create_pipeline(),
        "resize": resize.create_pipeline(),
        "label_filter": label_filter.create_pipeline(),
    }
    clips = sum(stages.values(), Pipeline([]))
    pretrain_rsp = clips + pretrain.create_rsp_pipeline()
    return {
        **stages,
        "ingest_kinetics": ingest.create_kinetics_pipeline(),
        "prepare_clips": clips,
        "pack_clips": clips + resize.create_tar_pipeline(),
        "measure_video_io": stages["ingest"] + measure_video_io.create_pipeline(),
        "pretrain_rsp": pretrain_rsp,
        "export_rsp": pretrain_rsp + pretrain.create_rsp_export_pipeline(),
        **_label_propagation_pipelines(pretrain_rsp),
        **_vqvae_pipelines(),
        "ingest_pouring": create_pouring_pipeline(),
        "ingest_penn_action": create_penn_action_pipeline(),
        "ingest_finegym": create_finegym_pipeline(),
        "__default__": pretrain_rsp,
    }


def _label_propagation_pipelines(pretrain_rsp: Pipeline) -> dict[str, Pipeline]:
    """``standalone``: only encoders that need nothing trained here, so that nothing is trained."""
    davis, jhmdb, vip = create_davis_pipeline(), create_jhmdb_pipeline(), create_vip_pipeline()
    return {
        "ingest_davis": davis,
        "ingest_jhmdb": jhmdb,
        "ingest_vip": vip,
        "eval_davis": pretrain_rsp + davis + downstream_eval.create_davis_pipeline(),
        "eval_jhmdb": pretrain_rsp + jhmdb + downstream_eval.create_jhmdb_pipeline(),
        "eval_vip": pretrain_rsp + vip + downstream_eval.create_vip_pipeline(),
        "eval_davis_standalone": davis + downstream_eval.create_davis_pipeline(checkpoints=()),
        "eval_jhmdb_standalone": jhmdb + downstream_eval.create_jhmdb_pipeline(checkpoints=()),
        "eval_vip_standalone": vip + downstream_eval.create_vip_pipeline(checkpoints=()),
    }


def _vqvae_pipelines() -> dict[str, Pipeline]:
    frames = ingest.create_robonet_pipeline()
    pretrained = frames + pretrain.create_vqvae_pipeline()
    variants = ("vqvae_pixel", "vqvae_perceptual", "vqvae_clips")
    measured = [
        pretrain.create_vqvae_pipeline(name, own=("run", "train"))
        + downstream_eval.create_vqvae_reconstruction_pipeline(name)
        for name in variants
    ]
    return {
        "ingest_robonet": frames,
        "pretrain_vqvae": pretrained,
        "latent_extraction_vqvae": pretrained + latent_extraction.create_vqvae_pipeline(),
        "eval_reconstruction": pretrained + downstream_eval.create_vqvae_reconstruction_pipeline(),
        "export_vqvae": pretrained + pretrain.create_vqvae_export_pipeline(),
        "ablate_vqvae": sum(measured, frames) + downstream_eval.create_comparison_pipeline(*variants),
    }
