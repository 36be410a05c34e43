"""Parameters with which the evaluation on robots takes seconds."""

from typing import Any

from tests.helpers.project import merged

TINY_ROBOT: dict[str, Any] = {
    "encoders": {
        "known": {"random": {"image_size": 32, "patch_size": 8, "dimension": 16, "depth": 1, "heads": 2}},
        "use": ["random", "pixels"],
    },
    "robot_demos": {
        "tabletop": {"table": {"width": 32, "height": 32}, "train_tables": 12},
        "frames": {"height": 32, "width": 32},
    },
    "eval_robot": {
        "tasks": ["lift_up", "carry_right"],
        "demonstrations": 2,
        "features": {"pixel_grid": 4},
        "head": {"hidden": [16], "length": 4, "evaluate_every": 2},
        "seeds": [0, 1],
        "episodes": 2,
        "selection_episodes": 1,
        "most_steps": 24,
    },
    "fanout": {"engine": "serial"},
    "tracking": {"enabled": False},
}

TINY_DMC_ROBOT: dict[str, Any] = merged(
    TINY_ROBOT,
    {
        "robot_demos": {
            "dmc": {
                "tasks": ["reacher-easy"],
                "pictures": {"width": 32, "height": 32},
                "control_steps": 40,
                "action_repeat": 2,
                "noise": 0.0,
                "train_layouts": 4,
                "validation_layouts": 0,
                "test_layouts": 0,
            }
        },
        "eval_robot": {"tasks": None, "most_steps": None, "proprioception": False},
    },
)

TINY_METAWORLD_ROBOT: dict[str, Any] = merged(
    TINY_ROBOT,
    {
        "robot_demos": {
            "metaworld": {
                "tasks": ["reach-v3", "button-press-v3"],
                "pictures": {"width": 32, "height": 32},
                "train_layouts": 4,
                "validation_layouts": 0,
                "test_layouts": 0,
            }
        },
        "eval_robot": {"tasks": None, "most_steps": 100},
    },
)
