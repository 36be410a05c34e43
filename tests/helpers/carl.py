"""Parameters with which the pipelines of CARL take seconds."""

from typing import Any

TINY_CARL: dict[str, Any] = {
    "pouring": {
        "frames": {"height": 32, "width": 32},
        "world": {"clips": 4, "width": 64, "height": 48, "frames_min": 18, "frames_max": 24},
        "world_validation": 0.25,
    },
    "fanout": {"engine": "serial"},
    "launch": {"loader_workers": 0, "device": "cpu"},
    "tracking": {"enabled": False},
    "carl": {
        "data": {"sampling": {"frames": 6}},
        "model": {
            "image_size": 32,
            "frames": 6,
            "stage_widths": [4, 4, 8, 8],
            "stage_blocks": [1, 1, 1, 1],
            "hidden_width": 16,
            "token_width": 16,
            "feedforward_width": 24,
            "heads": 2,
            "embedding_width": 8,
            "projection_width": 8,
        },
        "train": {
            "steps": 4,
            "batch_size": 2,
            "checkpoint_every_steps": 2,
            "optimizer": {"warmup_steps": 1},
        },
        "embedding": {"chunk_frames": 16},
    },
}
