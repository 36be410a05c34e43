"""Configurations and lists of shards of folders in diffusers' layout."""

import json
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import example, given
from safetensors.torch import save

from tests.fuzz.damage import damaged
from tests.fuzz.limits import ROUND, answer_within_limits
from tests.models.vpp.video.tiny import UNET
from vidrep_pipelines.models.vpp.video.checkpoint_io import DiffusersPart, diffusers_part, unet_config_of
from vidrep_pipelines.models.vpp.video.config import UnetConfig
from vidrep_pipelines.models.vpp.video.model import unet_arguments

CONFIG = json.dumps(unet_arguments(UNET)).encode()
PUBLISHED = json.dumps({"_class_name": "UNetSpatioTemporalConditionModel", **unet_arguments(UnetConfig())})
SHARDS = {"a.safetensors": save({"x": torch.zeros(2)}), "b.safetensors": save({"y": torch.ones(3)})}
MAP = {"x": "a.safetensors", "y": "b.safetensors"}
INDEX = json.dumps({"metadata": {"total_size": 20}, "weight_map": MAP}).encode()

CONFIGS = {
    "nothing": b"",
    "no UTF-8": b'{"_class_name": "\xff"}',
    "deep": b"[" * 100_000,
    "no object": b"[1]",
    "no levels": json.dumps({**unet_arguments(UNET), "block_out_channels": []}).encode(),
    "too many levels": json.dumps({**unet_arguments(UNET), "block_out_channels": [32] * 10**5}).encode(),
    "endless width": CONFIG.replace(b"[32, 64]", b"[1e999, 64]"),
    "no number": CONFIG.replace(b"[32, 64]", b"[NaN, 64]"),
    "negative width": CONFIG.replace(b"[32, 64]", b"[-32, 64]"),
    "no heads": CONFIG.replace(b"[2, 4]", b"[0, 4]"),
    "a huge number": CONFIG.replace(b"[32, 64]", b"[" + b"3" * 5000 + b", 64]"),
    "lists in lists": CONFIG.replace(b"[32, 64]", b"[[32], [64]]"),
    "per level, of lists": json.dumps({**unet_arguments(UNET), "layers_per_block": [[1], [1]]}).encode(),
    "per level, of objects": json.dumps({**unet_arguments(UNET), "layers_per_block": [{}, {}]}).encode(),
    "per level, of none": json.dumps({**unet_arguments(UNET), "cross_attention_dim": []}).encode(),
    "heads by the billion": json.dumps({**unet_arguments(UNET), "num_attention_heads": 10**9}).encode(),
}
INDICES = {
    "outside": {"x": "../../a.safetensors"},
    "absolute": {"x": "/dev/zero"},
    "here": {"x": "."},
    "above": {"x": ".."},
    "no name": {"x": ""},
    "a zero byte": {"x": "a\0.safetensors"},
    "a long name": {"x": "a" * 5000},
    "a lone surrogate": {"x": "\ud800"},
    "a number": {"x": 3},
    "a list": ["a.safetensors"],
    "empty": {},
    "missing": {"x": "c.safetensors"},
    "its own list": {"x": "diffusion_pytorch_model.safetensors.index.json"},
}


def part_of(config: bytes, index: bytes) -> tuple[DiffusersPart, UnetConfig] | None:
    """What is made of a folder whose weights lie in two shards, read to the end."""

    def read() -> tuple[DiffusersPart, UnetConfig]:
        part = diffusers_part(Path(folder), "unet")
        assert all(path.parent == place for path in part.files), "a file outside was named"
        part.state_dict()
        return part, unet_config_of(part.config, "config.json")

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "unet"
        place.mkdir()
        (place / "config.json").write_bytes(config)
        (place / "diffusion_pytorch_model.safetensors.index.json").write_bytes(index)
        for name, content in SHARDS.items():
            (place / name).write_bytes(content)
        return answer_within_limits(read)


def test_the_valid_one_is_read() -> None:
    for config, expected in ((CONFIG, UNET), (PUBLISHED.encode(), UnetConfig())):
        read = part_of(config, INDEX)
        assert read is not None and read[1] == expected
        assert [path.name for path in read[0].files] == sorted(SHARDS)


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_attacks_in_the_configuration_are_refused(name: str) -> None:
    assert part_of(CONFIGS[name], INDEX) is None


@pytest.mark.parametrize("name", sorted(INDICES))
def test_attacks_in_the_list_of_shards_are_refused(name: str) -> None:
    assert part_of(CONFIG, json.dumps({"weight_map": INDICES[name]}).encode()) is None


@pytest.mark.fuzz
@ROUND
@given(damaged(CONFIG, PUBLISHED.encode()))
@example(b"")
def test_configurations(content: bytes) -> None:
    part_of(content, INDEX)


@pytest.mark.fuzz
@ROUND
@given(damaged(INDEX))
@example(b'{"weight_map": {"x": "\\u0000"}}')
def test_lists_of_shards(content: bytes) -> None:
    part_of(CONFIG, content)
