import json
import subprocess
import sys
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from tests.models.vqvae.tiny import make_config
from vidrep_pipelines.models.vqvae.config import (
    CodebookConfig,
    VqvaeModelConfig,
    VqvaePreset,
    VqvaePresetName,
)

FSQ = {"size": 16, "dimension": 2, "codes": "fsq", "levels": [4, 4]}


def test_named_configurations_are_the_published_ones() -> None:
    pixel, perceptual, clips = (VqvaePreset.named(name) for name in get_args(VqvaePresetName))
    assert (pixel.objective.perceptual_weight, perceptual.objective.perceptual_weight) == (0.0, 1.0)
    assert pixel.model == perceptual.model and clips.model.decoder == "3d"
    assert (pixel.data.clip_frames, clips.data.clip_frames) == (1, 12)
    assert pixel.model.grid == 4 and pixel.model.codebook.size == 1024


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image_size": 63}, "image_size=63 is no multiple of 2"),
        ({"groups": 16}, "groups=16"),
        ({"codebook": {"restart_below": 0.1}}, "update: ema"),
        ({"codebook": {"size": 40000}}, "32768"),
        ({"codebook": {"codes": "fsq"}}, "belong together"),
        ({"codebook": {"levels": [4, 4]}}, "belong together"),
        ({"codebook": {"codes": "fsq", "levels": [8, 8]}}, "make 64 codes of 2 channels"),
        ({"codebook": {"size": 4, "dimension": 2, "codes": "fsq", "levels": [4, 1]}}, "greater than or"),
        ({"codebook": FSQ | {"update": "ema"}}, "no entries that move"),
        ({"widht": 8}, "widht"),
    ],
)
def test_contradictions_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make_config(**fields)


def test_configs_survive_json_and_keep_their_defaults() -> None:
    config = make_config()
    assert VqvaeModelConfig.model_validate(json.loads(config.model_dump_json())) == config
    assert CodebookConfig() == VqvaeModelConfig().codebook
    grid = make_config(FSQ)
    assert VqvaeModelConfig.model_validate(json.loads(grid.model_dump_json())) == grid


def test_levels_that_are_not_used_are_in_no_digest() -> None:
    assert "levels" not in CodebookConfig().model_dump()
    assert make_config(FSQ).model_dump()["codebook"]["levels"] == (4, 4)


def test_importing_the_config_does_not_import_torch() -> None:
    code = "import sys, vidrep_pipelines.models.vqvae.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
