"""Parameters with which the pipelines of the policy take seconds."""

from typing import Any

from tests.helpers.project import merged
from tests.helpers.vpp_video import TINY_VPP_VIDEO

TINY_VPP_POLICY: dict[str, Any] = merged(
    TINY_VPP_VIDEO,
    {
        "vpp_features": {"reduction": {"grid": 2}},
        "vpp_policy": {
            "model": {"former": {"components": 8}},
            "validation": {"every_steps": 2, "items": 4, "batch_size": 4},
            "train": {"steps": 3, "batch_size": 4, "checkpoint_every_steps": 2},
        },
        "rollout": {
            "part": "validation",
            "episodes": 2,
            "conditions": ["trained", "swapped", "still", "scripted", "scripted_coded"],
            "rollout": {"most_steps": 20},
            "films": {"episodes": 1, "panel": 64},
        },
    },
)
