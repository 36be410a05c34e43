"""Parameters with which the comparison on Markov chains takes seconds."""

from typing import Any

TINY_CHAINS: dict[str, Any] = {
    "fanout": {"engine": "serial"},
    "tracking": {"enabled": False},
    "occupancy_chains": {
        "kinds": {
            "one_codeword": {"states": 3, "tokens": 2, "vocabulary": 4, "episodes": 6, "steps": 9},
            "two_codewords": {"states": 3, "tokens": 2, "vocabulary": 4, "episodes": 6, "steps": 9},
        },
        "chains": 1,
        "seeds": 1,
        "network": {"layers": 1, "heads": 1, "width": 8},
        "train": {"steps": 4, "batch_size": 4, "optimizer": {"warmup_steps": 1}},
        "measurements": 2,
    },
}
