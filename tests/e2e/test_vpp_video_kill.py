"""``kill -9`` while the video model trains: the same command finishes the same."""

import re
from pathlib import Path

import pytest

from tests.helpers.killed_run import PATIENCE_SECONDS, finish, losses
from tests.helpers.project import kill_group, merged, start_kedro, wait_until
from tests.helpers.vpp_video import TINY_VPP_VIDEO

PARAMETERS = merged(
    TINY_VPP_VIDEO,
    {
        "fanout": {"engine": "local", "workers": 2},
        "vpp_video": {
            "validation": {"every_steps": 6},
            "train": {"steps": 12, "checkpoint_every_steps": 3, "log_every_steps": 1},
        },
    },
)


@pytest.mark.slow
def test_killed_while_training(tmp_path: Path) -> None:
    whole, data = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    data.mkdir()
    finish("pretrain_vpp_video", whole, PARAMETERS)
    log = data / "06_models/vpp_video/run/train_log.jsonl"
    process = start_kedro("pretrain_vpp_video", data, PARAMETERS, data / "log.txt")
    assert wait_until(lambda: log.exists() and log.read_bytes().count(b"\n") >= 5, PATIENCE_SECONDS)
    kill_group(process)
    finish("pretrain_vpp_video", data, PARAMETERS)
    assert re.findall(r"from update (\d+)", (data / "log.txt").read_text())[-1] in {"3", "6", "9"}
    assert losses(data, "vpp_video") == losses(whole, "vpp_video")
    weights = "06_models/vpp_video/checkpoint/model.safetensors"
    assert (data / weights).read_bytes() == (whole / weights).read_bytes()
    assert not [path for path in data.rglob(".*") if ".partial-" in path.name]
