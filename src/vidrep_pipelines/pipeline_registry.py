"""The table of public pipeline names."""

from kedro.pipeline import Pipeline

from vidrep_pipelines.models.voc.config import ReleasedName, TokenizerName
from vidrep_pipelines.pipelines import (
    downstream_eval,
    ingest,
    label_filter,
    latent_extraction,
    measure_video_io,
    pretrain,
    resize,
    serve,
    verify,
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
from vidrep_pipelines.pipelines.ingest.points_pipeline import create_points_pipeline
from vidrep_pipelines.pipelines.ingest.probe_clips_pipeline import create_probe_clips_pipeline


def register_pipelines() -> dict[str, Pipeline]:
    """Builds every pipeline that ``kedro run --pipelines NAME`` knows.

    A public pipeline contains all that it needs from raw video on, so that its name alone is enough on a
    fresh clone. What is already there and unchanged is not done again. Stage names alone are public too.
    """
    stages = {
        "ingest": ingest.create_videos_pipeline(),
        "resize": resize.create_resize_pipeline(),
        "label_filter": label_filter.create_label_filter_pipeline(),
    }
    clips = sum(stages.values(), Pipeline([]))
    pretrain_rsp = clips + pretrain.create_rsp_pipeline()
    vqvae, carl = _vqvae_pipelines(), _carl_pipelines(clips)
    voc = _voc_pipelines()
    systems = pretrain_rsp + vqvae["pretrain_vqvae"] + carl["pretrain_carl"]
    compared = systems + voc["pretrain_voc_tokenizer_vae"] + voc["pretrain_voc_tokenizer_musik"]
    return {
        **stages,
        "ingest_kinetics": ingest.create_kinetics_pipeline(),
        "prepare_clips": clips,
        "pack_clips": clips + resize.create_tar_pipeline(),
        "verify": verify.create_verification_pipeline(),
        "measure_video_io": stages["ingest"] + measure_video_io.create_video_io_pipeline(),
        "pretrain_rsp": pretrain_rsp,
        "export_rsp": pretrain_rsp + pretrain.create_rsp_export_pipeline(),
        **_encoder_evaluation_pipelines(pretrain_rsp, systems, compared),
        **vqvae,
        **voc,
        "eval_occupancy_chains": downstream_eval.create_occupancy_chains_pipeline(),
        **carl,
        "ingest_dmc": ingest.create_dmc_pipeline(),
        **_robot_pipelines(pretrain_rsp, systems),
        **_vpp_pipelines(pretrain_rsp + vqvae["pretrain_vqvae"]),
        "__default__": pretrain_rsp,
    }


def _encoder_evaluation_pipelines(
    pretrain_rsp: Pipeline, systems: Pipeline, compared: Pipeline
) -> dict[str, Pipeline]:
    """``systems``: encoders of all systems. ``standalone``: only encoders that need nothing trained here.

    ``compare_encoders`` has all evaluations of the encoders that ``compared`` trains.
    """
    tasks = {
        "davis": (create_davis_pipeline(), downstream_eval.create_davis_evaluation_pipeline),
        "jhmdb": (create_jhmdb_pipeline(), downstream_eval.create_jhmdb_evaluation_pipeline),
        "vip": (create_vip_pipeline(), downstream_eval.create_vip_evaluation_pipeline),
        "points": (create_points_pipeline(), downstream_eval.create_points_evaluation_pipeline),
        "probe": (create_probe_clips_pipeline(), downstream_eval.create_probe_evaluation_pipeline),
    }
    named: dict[str, Pipeline] = {}
    for task, (videos, create_evaluation) in tasks.items():
        named |= {
            f"ingest_{task}": videos,
            f"eval_{task}": pretrain_rsp + videos + create_evaluation(),
            f"eval_{task}_systems": systems + videos + create_evaluation(downstream_eval.SYSTEMS),
            f"eval_{task}_standalone": videos + create_evaluation(()),
        }
    measured_on = sum((videos for videos, _ in tasks.values()), create_pouring_pipeline())
    create_comparison = downstream_eval.create_encoder_comparison_pipeline
    named["compare_encoders"] = compared + measured_on + create_comparison()
    named["compare_encoders_standalone"] = measured_on + create_comparison(())
    return named


def _robot_pipelines(pretrain_rsp: Pipeline, systems: Pipeline) -> dict[str, Pipeline]:
    """Behavior cloned on encoders' features; the names end as those of the other evaluations of encoders."""
    demos, create = ingest.create_robot_demos_pipeline(), downstream_eval.create_robot_evaluation_pipeline
    return {
        "ingest_robot_demos": demos,
        "eval_robot": pretrain_rsp + demos + create(),
        "eval_robot_systems": systems + demos + create(downstream_eval.SYSTEMS),
        "eval_robot_standalone": demos + create(()),
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
        "latent_extraction_vqvae": pretrained + latent_extraction.create_vqvae_extraction_pipeline(),
        "eval_reconstruction": pretrained + downstream_eval.create_vqvae_reconstruction_pipeline(),
        "eval_reconstruction_original": frames + downstream_eval.create_original_reconstruction_pipeline(),
        "eval_rate_distortion": frames + downstream_eval.create_rate_distortion_pipeline(),
        "export_vqvae": pretrained + pretrain.create_vqvae_export_pipeline(),
        "ablate_vqvae": sum(measured, frames) + downstream_eval.create_comparison_pipeline(*variants),
    }


_ACTED_ON: TokenizerName = "dino"
"""Whose tokens the occupancy model is trained on whose values choose actions."""


def _voc_pipelines() -> dict[str, Pipeline]:
    """Each name holds all that comes before it: episodes, tokenizer, codes, occupancy model."""
    kinds: tuple[TokenizerName, ...] = ("vae", "dino", "musik")
    frames = ingest.create_dmc_pipeline()
    named: dict[str, Pipeline] = {}
    for kind in kinds:
        tokenizer = frames + pretrain.create_voc_tokenizer_pipeline(kind)
        tokens = tokenizer + latent_extraction.create_voc_extraction_pipeline(kind)
        model = tokens + pretrain.create_voc_pipeline(kind)
        exported = pretrain.create_voc_tokenizer_export_pipeline(kind) + pretrain.create_voc_export_pipeline(
            kind
        )
        named |= {
            f"pretrain_voc_tokenizer_{kind}": tokenizer,
            f"latent_extraction_voc_{kind}": tokens,
            f"pretrain_voc_{kind}": model,
            f"export_voc_{kind}": model + exported,
            f"eval_occupancy_{kind}": model + downstream_eval.create_occupancy_pipeline(kind),
        }
    released: tuple[ReleasedName, ...] = ("vae_released", "dino_released")
    for name in released:
        model = latent_extraction.create_released_latents_pipeline(name) + pretrain.create_voc_pipeline(name)
        named[f"pretrain_voc_{name}"] = model
        named[f"eval_occupancy_{name}"] = model + downstream_eval.create_released_occupancy_pipeline(name)
    acting = named[f"latent_extraction_voc_{_ACTED_ON}"] + pretrain.create_voc_acting_pipeline(_ACTED_ON)
    named["pretrain_voc_acting"] = acting
    named["eval_occupancy_acting"] = acting + downstream_eval.create_occupancy_acting_pipeline(_ACTED_ON)
    joint = frames + pretrain.create_voc_joint_pipeline()
    named["pretrain_voc_joint"] = joint
    tokens = joint + latent_extraction.create_voc_extraction_pipeline("joint")
    named["latent_extraction_voc_joint"] = tokens
    named["export_voc_joint"] = (
        joint
        + pretrain.create_voc_tokenizer_export_pipeline("joint")
        + pretrain.create_voc_export_pipeline("joint")
    )
    named["eval_occupancy_joint"] = tokens + downstream_eval.create_occupancy_pipeline("joint")
    evaluated = [named[f"eval_occupancy_{kind}"] for kind in kinds]
    named["eval_occupancy"] = sum(evaluated, downstream_eval.create_occupancy_comparison_pipeline(kinds))
    return named


def _carl_pipelines(clips: Pipeline) -> dict[str, Pipeline]:
    """``_penn_action`` and ``_finegym`` are the same on other releases.

    What Kinetics taught is measured on PennAction, as the published configuration is.
    ``_original`` measures a checkpoint of the original code, and trains nothing.
    """
    ingests = {
        "pouring": create_pouring_pipeline(),
        "penn_action": create_penn_action_pipeline(),
        "finegym": create_finegym_pipeline(),
    }
    kinetics = clips + pretrain.create_carl_kinetics_pipeline()
    named = {f"ingest_{release}": videos for release, videos in ingests.items()}
    features = "carl_finegym_features"
    named["eval_phases_finegym_features"] = latent_extraction.create_finegym_features_pipeline(
        features
    ) + downstream_eval.create_given_phases_pipeline(features, "finegym")
    named["pretrain_carl_kinetics"] = kinetics
    named["export_carl_kinetics"] = kinetics + pretrain.create_carl_export_pipeline("carl_kinetics")
    evaluated = ("carl_kinetics", "penn_action")  # what the published configuration is evaluated on
    named["latent_extraction_carl_kinetics"] = (
        kinetics + ingests["penn_action"] + latent_extraction.create_carl_extraction_pipeline(*evaluated)
    )
    named["eval_phases_kinetics"] = named[
        "latent_extraction_carl_kinetics"
    ] + downstream_eval.create_phases_pipeline(*evaluated)
    for release, videos in ingests.items():
        model = "carl" if release == "pouring" else f"carl_{release}"
        pretrained = videos + pretrain.create_carl_pipeline(model, release)
        named[f"pretrain_{model}"] = pretrained
        embedded = pretrained + latent_extraction.create_carl_extraction_pipeline(model, release)
        named[f"latent_extraction_{model}"] = embedded
        named[model.replace("carl", "eval_phases", 1)] = embedded + downstream_eval.create_phases_pipeline(
            model, release
        )
        original = f"{model}_original"
        named[original.replace("carl", "eval_phases", 1)] = (
            videos
            + latent_extraction.create_original_carl_extraction_pipeline(original, release)
            + downstream_eval.create_phases_pipeline(original, release)
        )
        named[f"export_{model}"] = pretrained + pretrain.create_carl_export_pipeline(model)
    return named


def _vpp_pipelines(encoders: Pipeline) -> dict[str, Pipeline]:
    """Video Prediction Policy: clips of robots, their latents, the video model and what is made of it.

    Args:
        encoders: What trains the image encoders that its policy is compared on.
    """
    clips = ingest.create_robot_episodes_pipeline()
    latents = clips + latent_extraction.create_video_latents_pipeline()
    video = latents + pretrain.create_vpp_video_pipeline()
    items = clips + ingest.create_policy_items_pipeline()
    features = video + latent_extraction.create_vpp_features_pipeline()
    policy = features + items + pretrain.create_vpp_policy_pipeline()
    return {
        "ingest_robot_clips": clips,
        "prepare_policy_items": items,
        "export_policy_items": items + ingest.create_policy_items_export_pipeline(),
        "latent_extraction_svd": latents,
        "export_svd_latents": latents + latent_extraction.create_video_latents_export_pipeline(),
        "pretrain_vpp_video": video,
        "export_vpp_video": video + pretrain.create_vpp_video_export_pipeline(),
        "latent_extraction_vpp_features": features,
        "pretrain_vpp_policy": policy,
        "export_vpp_policy": policy + pretrain.create_vpp_policy_export_pipeline(),
        "eval_open_loop": policy + downstream_eval.create_open_loop_pipeline(),
        "serve_policy": serve.create_serve_policy_pipeline(),
        "eval_rollout": policy + downstream_eval.create_rollout_pipeline(),
        "ablate_vpp_policy": encoders + video + downstream_eval.create_vpp_ablation_pipeline(),
        "predict_video": video + downstream_eval.create_predict_video_pipeline(),
        "eval_video_prediction": video + downstream_eval.create_video_evaluation_pipeline(),
        "eval_calvin": policy + downstream_eval.create_calvin_pipeline(),
        "eval_calvin_baselines": downstream_eval.create_calvin_baselines_pipeline(),
        "check_calvin": downstream_eval.create_calvin_check_pipeline(),
    }
