"""Parameters with which episodes of the sample world take seconds."""

from typing import Any

TINY_DMC: dict[str, Any] = {
    "sample_agent": {"world": {"width": 32, "height": 32}, "episodes": 8, "frames": 16, "scenes": 2},
    "dmc": {
        "frames": {"height": 32, "width": 32},
        "store": {"split": {"validation": 1, "test": 2}},
    },
    "fanout": {"engine": "serial"},
}
