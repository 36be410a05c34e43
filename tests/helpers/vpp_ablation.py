"""Parameters with which policies on three kinds of features are compared in seconds."""

from typing import Any

from tests.helpers.project import TINY, merged
from tests.helpers.vpp_policy import TINY_VPP_POLICY
from tests.helpers.vqvae import TINY_VQVAE

TINY_VPP_ABLATION: dict[str, Any] = merged(
    merged(TINY, TINY_VQVAE),
    TINY_VPP_POLICY,
    {
        "encoders": {"use": None},
        "ablate_vpp_policy": {
            "train_steps": 3,
            "use": ["demonstrations_100", "demonstrations_25", "pixels", "causal", "updates_2"],
            "features": {"updates_2": {"source": "video_model", "updates": 2}},
            "policies": {
                **{name: {"episodes": 3} for name in ("demonstrations_100", "pixels", "causal")},
                "demonstrations_25": {"episodes": 2},
                "updates_2": {"features": "updates_2", "episodes": 3, "cross_causal": False},
            },
            "instruction_scores": {"tables": 1},
            "swept": ["causal"],
            "execute_steps": [2, 4],
            "rollouts": {"part": "validation", "episodes": 2, "rollout": {"most_steps": 8}},
        },
    },
)
