"""Parameters with which a store of instructed clips of the tabletop takes seconds."""

from typing import Any

TINY_ROBOT_EPISODES: dict[str, Any] = {
    "robot_episodes": {
        "tabletop": {
            "table": {"width": 32, "height": 32, "frames": 20},
            "train_tables": 4,
            "validation_tables": 2,
            "test_tables": 2,
            "held_out_tables": 2,
            "beside_tables": 0,
        },
        "frames": {"height": 32, "width": 32},
    },
    "fanout": {"engine": "serial"},
}
