"""Draws the activity of a clip."""

import numpy as np

from vidrep_pipelines.data.sample_world.activities.base import Activity
from vidrep_pipelines.data.sample_world.activities.drop import Drop
from vidrep_pipelines.data.sample_world.activities.pour import Pour
from vidrep_pipelines.data.sample_world.activities.push import Push
from vidrep_pipelines.data.sample_world.activities.stack import Stack
from vidrep_pipelines.data.sample_world.activities.strike import Strike
from vidrep_pipelines.data.sample_world.activities.wave import Wave
from vidrep_pipelines.data.sample_world.config import ActivityName
from vidrep_pipelines.data.sample_world.materials import ColorName


def draw_activity(name: ActivityName, rng: np.random.Generator, colors: list[ColorName]) -> Activity:
    """The activity of that name with its objects drawn; the colors used are taken out of ``colors``."""
    kinds: dict[ActivityName, type[Push | Stack | Drop | Pour | Strike | Wave]] = {
        "push": Push,
        "stack": Stack,
        "drop": Drop,
        "pour": Pour,
        "strike": Strike,
        "wave": Wave,
    }
    return kinds[name].draw(rng, colors)
