"""The policy of a recorded case, read as users' files are, and what it was given."""

from pathlib import Path

from torch import Tensor

from tests.parity.vpp_checks.case_model import case_arrays, case_config
from vidrep_pipelines.models.shared.weight_file import read_weights
from vidrep_pipelines.models.vpp.policy.checkpoint_io import policy_config_of, read_policy
from vidrep_pipelines.models.vpp.policy.config import DenoiserConfig, PolicyModelConfig, VideoFormerConfig
from vidrep_pipelines.models.vpp.policy.model import PolicyModel
from vidrep_pipelines.models.vpp.policy.video_former import features_of_views

WEIGHTS = "policy.safetensors"


def case_policy(folder: Path, *, frozen_state: bool = False) -> PolicyModel:
    """The policy in evaluation mode."""
    config = case_policy_config(folder)
    if frozen_state and config.denoiser.proprioception is not None:
        denoiser = config.denoiser.model_copy(update={"freeze_proprioception": True})
        config = config.model_copy(update={"denoiser": denoiser})
    return read_policy(folder / WEIGHTS, config).build()


def case_policy_config(folder: Path) -> PolicyModelConfig:
    """Its sizes as they were recorded, which are those that its weights show."""
    recorded, weights = case_config(folder)["policy"], read_weights(folder / WEIGHTS)
    known = recorded["former"] in ("3d", "2d")
    features = weights["Video_Former.goal_emb.0.weight" if known else "Video_Former.weight"].shape[1]
    former = VideoFormerConfig(
        kind=recorded["former"] if known else "linear",
        features=features,
        frames=weights["Video_Former.time_pos_emb"].shape[0] if known else _frames(folder),
        width=recorded["dim"],
        tokens=recorded["num_latents"],
        depth=recorded["depth"],
        heads=recorded["heads"],
        head_width=recorded["dim_head"],
    )
    denoiser = DenoiserConfig(
        width=recorded["edim"],
        encoder_layers=recorded["nenc"],
        decoder_layers=recorded["ndec"],
        heads=recorded["eheads"],
        chunk=recorded["T"],
        actions=recorded["adim"],
        goal=case_config(folder)["goal"],
        proprioception=recorded["pdim"] if recorded["proprio"] else None,
    )
    config = PolicyModelConfig(former=former, denoiser=denoiser)
    if known:
        shown = policy_config_of(
            weights,
            str(folder),
            sees_state=recorded["proprio"],
            former_heads=recorded["heads"],
            heads=recorded["eheads"],
        )
        assert shown == config
    return config


def case_features(folder: Path) -> Tensor:
    """(B, F, N, C) what the video model gave, the views' places in a row."""
    config = case_config(folder)
    recorded = case_arrays(folder, "features")[f"feat_{config['policy_feat']}"]
    return features_of_views(recorded, config["views"])


def case_goal(arrays: dict[str, Tensor]) -> Tensor:
    """(B, 1, G)."""
    return arrays["goal"].reshape(len(arrays["goal"]), 1, -1)


def largest_difference(found: Tensor, expected: Tensor) -> float:
    assert found.shape == expected.shape, f"{tuple(found.shape)}, recorded {tuple(expected.shape)}"
    return float((found.double() - expected.double()).abs().max()) if expected.numel() else 0.0


def _frames(folder: Path) -> int:
    return int(case_features(folder).shape[1])
