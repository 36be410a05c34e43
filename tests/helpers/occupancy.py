"""Parameters with which occupancy models of all tokenizers are trained and evaluated in seconds."""

from typing import Any

from tests.helpers.dmc import TINY_DMC
from tests.helpers.project import merged

_TRAIN: dict[str, Any] = {
    "steps": 2,
    "batch_size": 4,
    "checkpoint_every_steps": 2,
    "optimizer": {"warmup_steps": 1},
}
_NETWORK: dict[str, Any] = {
    "image_size": 16,
    "width": 8,
    "width_multipliers": [1, 1, 1, 1],
    "groups": 4,
    "latent_channels": 8,
}
_CODES: dict[str, Any] = {"size": 16, "dimension": 4}
_PIXELS: dict[str, Any] = {"size": 16}
_TRANSFORMER: dict[str, Any] = {"dimension": 16, "depth": 1, "heads": 2, "mlp_ratio": 2.0}
_OCCUPANCY: dict[str, Any] = {
    "model": {
        "gpt": {"layers": 1, "heads": 2, "width": 16, "vocabulary": 16, "positions": 16},
        "grid": [2, 2],
        "frame_stack": 2,
        "reward": {"width": 8},
    },
    "objective": {"target": {"kind": "geometric", "gamma": 0.5}},
    "train": _TRAIN,
}

TINY_OCCUPANCY: dict[str, Any] = merged(
    TINY_DMC,
    {
        "launch": {"loader_workers": 0, "device": "cpu"},
        "tracking": {"enabled": False},
        "voc_tokenizer_vae": {
            "model": {"network": _NETWORK, "codes": _CODES, "pixels": _PIXELS},
            "train": _TRAIN,
        },
        "voc_tokenizer_dino": {
            "model": {
                "pixels": _PIXELS,
                "patch_size": 8,
                "encoder": _TRANSFORMER,
                "decoder": _TRANSFORMER,
                "vocabulary": 16,
                "code_dimension": 4,
                "teacher_dimension": 16,
            },
            "objective": {"teacher": {"kind": "random", "patch_size": 8, "network": _TRANSFORMER}},
            "train": _TRAIN,
        },
        "voc_tokenizer_musik": {
            "model": {
                "network": _NETWORK,
                "codes": _CODES,
                "pixels": _PIXELS,
                "dimension": 8,
                "hidden_dimension": 8,
                "frame_stack": 2,
                "action_dimension": 4,
            },
            "objective": {"negatives": 4, "largest_offset": 3},
            "train": _TRAIN,
        },
        "voc_vae": _OCCUPANCY,
        "voc_dino": _OCCUPANCY,
        "voc_musik": _OCCUPANCY,
        "voc_acting": merged(_OCCUPANCY, {"model": {"gpt": {"action_dimension": 4}}}),
        "occupancy": {"contexts": 12, "samples": 4, "resamples": 20},
        "occupancy_futures": {"contexts": 2, "samples": 2, "jumps": 2, "mean_samples": 3},
    },
)
