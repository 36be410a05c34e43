"""Parameters with which the evaluations by label propagation take seconds."""

from typing import Any

from tests.helpers.project import TINY, merged

_SETTINGS = {"frame_size": {"rule": "exact", "sides": [48, 64]}, "radius": 4, "context_frames": 3}

TINY_EVALUATION: dict[str, Any] = merged(
    TINY,
    {
        "davis": {"protocol": "native"},
        "label_miniature": {
            "world": {"clips": 2, "width": 64, "height": 48, "frames_min": 16, "frames_max": 16}
        },
        "encoders": {
            "known": {"random": {"image_size": 32, "dimension": 16, "depth": 1, "heads": 2}},
            "use": ["random", "pixels"],
        },
        "eval_davis": _SETTINGS,
        "eval_jhmdb": _SETTINGS,
        "eval_vip": _SETTINGS,
        "eval_points": {
            "frame_size": _SETTINGS["frame_size"],
            "propagation": {"radius": 4, "context_frames": 3},
        },
        "probe_world": {"clips": 24, "width": 64, "height": 48, "frames_min": 16, "frames_max": 16},
        "eval_probe": {
            "frames": 2,
            "image_size": 32,
            "token_grid": 2,
            "attentive": {"epochs": 2, "width": 16, "heads": 2},
        },
        "fanout": {"engine": "serial"},
    },
)
