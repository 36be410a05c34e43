"""Parameters with which the pipelines of VQ-VAE take seconds."""

from typing import Any

_TRAIN: dict[str, Any] = {"steps": 2, "batch_size": 12, "optimizer": {"warmup_steps": 1}}

TINY_VQVAE: dict[str, Any] = {
    "robonet_clips": {"clips": 8, "width": 64, "height": 48, "frames_min": 16, "frames_max": 16},
    "frame_store": {
        "frames": {"height": 16, "width": 16},
        "views": {"split": {"validation": 1, "test": 2}},
    },
    "fanout": {"engine": "serial"},
    "launch": {"loader_workers": 0, "device": "cpu"},
    "tracking": {"enabled": False},
    "vqvae": {
        "model": {
            "image_size": 16,
            "width": 8,
            "groups": 4,
            "latent_channels": 8,
            "codebook": {"size": 16, "dimension": 4},
        },
        "validation": {"every_steps": 2},
        "train": {**_TRAIN, "steps": 4, "checkpoint_every_steps": 2},
    },
    "vqvae_pixel": {"train": _TRAIN},
    "vqvae_perceptual": {"train": _TRAIN},
    "vqvae_clips": {"train": _TRAIN},
    "reconstruction": {"resamples": 50},
}
