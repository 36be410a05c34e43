"""Sources of features for tests: a tiny video model, trained or not, and colors."""

import json
import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from vidrep_pipelines.adapters.encoders import EncoderSource, encoder_sources
from vidrep_pipelines.adapters.policy_ablation_config import PolicyAblationConfig
from vidrep_pipelines.adapters.policy_features import (
    EncoderFeatureSource,
    VideoModelSource,
    ablation_sources,
)
from vidrep_pipelines.evaluation.encoders.config import EncodersConfig
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.policy.feature_plan import FeatureSources
from vidrep_pipelines.models.vpp.policy.features_config import PolicyFeaturesConfig

READ = PolicyFeaturesConfig.model_validate({"reduction": {"grid": 2}})
ABLATION = PolicyAblationConfig.model_validate(
    {
        "features": {
            "video": {"source": "video_model"},
            "draws": {"source": "video_model", "noise": {"kind": "draws", "draws": 3}},
            "first_frame": {
                "source": "video_model",
                "reduction": {"kind": "pooled", "grid": 2, "frames": [0]},
            },
            "untrained": {"source": "untrained_video_model"},
            "pixels": {"source": "encoder", "encoder": "pixels"},
        },
        "policies": {
            "reference": {"features": "video", "episodes": 2},
            "few": {"features": "video", "episodes": 1},
            **{
                name: {"features": name, "episodes": 1}
                for name in ("draws", "first_frame", "untrained", "pixels")
            },
            "causal": {"features": "video", "episodes": 2, "cross_causal": True},
        },
        "reference": "reference",
    }
)


def pixel_encoders(patch_size: int = 8) -> list[EncoderSource]:
    """Mean colors of 2 x 2 squares of a patch."""
    known = {"pixels": {"kind": "pixels", "patch_size": patch_size, "squares": 2}}
    return encoder_sources(EncodersConfig.model_validate({"known": known}), [])


def sources_of(video: FeatureSources) -> dict[str, VideoModelSource | EncoderFeatureSource]:
    """All sets of ``ABLATION``."""
    return ablation_sources(ABLATION, video, pixel_encoders(), READ)


def with_updates(*updates: int) -> PolicyAblationConfig:
    """``ABLATION`` with a policy ``updates_2`` on a set of that name, and so on, each as the reference."""
    described: dict[str, Any] = ABLATION.model_dump()
    for number in updates:
        described["features"][f"updates_{number}"] = {"source": "video_model", "updates": number}
        described["policies"][f"updates_{number}"] = {"features": f"updates_{number}", "episodes": 2}
    return PolicyAblationConfig.model_validate(described)


def earlier_model(checkpoint: Checkpoint, folder: Path, updates: int) -> Checkpoint:
    """A video model with other weights, said to be the same after fewer updates."""
    shutil.copytree(checkpoint.directory, folder)
    weights = {name: value * 1.5 for name, value in checkpoint.state_dict().items()}
    save_file(weights, folder / "model.safetensors")
    (folder / "meta.json").write_text(json.dumps({**checkpoint.meta, "step": updates}))
    return Checkpoint.of(folder)
