"""What the recorded file of LPIPS heads must show."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.parity.vqvae_checks.stand_ins import head_weights, vgg_weights
from vidrep_pipelines.models.layers.perceptual_distance import PerceptualDistance


def check_heads(folder: Path, temporary: Path) -> None:
    """The published layout is read, the same as the plain copy beside it, and as the recipe."""
    (copy,) = folder.glob("*_seed*.safetensors")
    seed = int(copy.stem.rpartition("seed")[2])
    trunk = temporary / "vgg16.pth"
    torch.save(vgg_weights(seed), trunk)
    recipe, lines = head_weights(seed), load_file(copy)
    loaded = [PerceptualDistance.load(trunk, path).heads for path in (folder / "vgg.pth", copy)]
    for number, rows in enumerate(zip(*loaded, strict=True)):
        name = f"lin{number}.model.1.weight"
        assert all(torch.equal(row, lines[name].flatten()) for row in rows)
        torch.testing.assert_close(recipe[name], lines[name], rtol=0, atol=0)
    assert sum(float(row.sum()) for row in loaded[0]) == pytest.approx(
        sum(float(v.sum()) for v in lines.values())
    )
