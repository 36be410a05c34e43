"""Parameters with which the pipelines of the video model take seconds."""

from typing import Any

TINY_VPP_VIDEO: dict[str, Any] = {
    "robot_episodes": {
        "tabletop": {
            "table": {"width": 32, "height": 32, "frames": 20},
            "train_tables": 4,
            "validation_tables": 2,
            "test_tables": 1,
            "held_out_tables": 1,
            "beside_tables": 1,
        },
        "frames": {"height": 32, "width": 32},
    },
    "video_latents": {"codec": {"fit_frames": 32}},
    "fanout": {"engine": "serial"},
    "launch": {"loader_workers": 0, "device": "cpu"},
    "tracking": {"enabled": False},
    "vpp_video": {
        "sampling": {"steps": 2},
        "validation": {"every_steps": 2, "items": 2, "batch_size": 2, "predicted_items": 1},
        "train": {
            "steps": 3,
            "batch_size": 2,
            "checkpoint_every_steps": 2,
            "optimizer": {"warmup_steps": 1},
        },
    },
}
