"""Parameters with which the comparison of codes at equal bits takes seconds."""

from typing import Any

TINY_RATES: dict[str, Any] = {
    "codes": {"gradient": {"dimension": 4}, "ema": {"dimension": 4}},
    "rates": {
        "coarse": {"width_multipliers": [1, 2, 2], "levels": [4, 4]},
        "medium": {"width_multipliers": [1, 2], "levels": [3, 3]},
        "fine": {"width_multipliers": [1, 2], "levels": [4, 4]},
    },
    "seeds": 2,
    "model": {"image_size": 16, "width": 8, "groups": 4, "latent_channels": 8},
    "train": {"steps": 2, "batch_size": 4, "optimizer": {"warmup_steps": 1}},
    "floor_points": 2,
}
