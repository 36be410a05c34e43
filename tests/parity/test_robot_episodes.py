"""Pictures of CALVIN are resized as the published loader does it: every recorded item, to the level."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.real_clips import shared_folder
from tests.parity.discovery import parity_folder
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.resize_rules import resized_picture
from vidrep_pipelines.data.sources.robot_data_sets.config import CalvinDataSet

ITEMS = sorted(parity_folder("vpp").rglob("calvin_items.npz"))
PICTURE = re.compile(r"(train|val)_(\d+)_(rgb_static|rgb_gripper)_ds16")


@pytest.mark.parametrize("path", ITEMS, ids=lambda path: path.parent.name)
def test_calvins_pictures_have_the_published_levels(path: Path) -> None:
    miniature = shared_folder("vpp_calvin_mini")
    frames = CalvinDataSet(folder=miniature).frames(FramesConfig(height=256, width=256))
    compared = 0
    with np.load(path, allow_pickle=False) as items:
        for match in filter(None, map(PICTURE.fullmatch, items.files)):
            split, number, camera = match.groups()
            folder = miniature / {"train": "training", "val": "validation"}[split]
            step = int(items[f"{split}_episode_lookup"][int(number)])
            (archive,) = folder.glob(f"episode_*{step:07d}.npz")
            with np.load(archive, allow_pickle=False) as arrays:
                levels = resized_picture(arrays[camera], frames).astype(np.float32)
            values = ((levels / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None]
            np.testing.assert_allclose(values[..., ::16, ::16], items[match[0]], rtol=0, atol=1e-6)
            mean, _ = items[match[0].replace("ds16", "mean_std")]
            assert abs(float(values.mean(dtype=np.float64)) - mean) < 1e-5
            compared += 1
    assert compared >= 2
