import hashlib
import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.reconstruction.config import ReconstructionEvaluationConfig
from vidrep_pipelines.evaluation.reconstruction.networks import load_frame_features, load_networks
from vidrep_pipelines.models.layers import published_program

CPU = torch.device("cpu")


class FrameNetwork(nn.Module):
    """Takes what the published Inception takes."""

    def forward(self, frames: Tensor, return_features: bool) -> Tensor:
        assert frames.dtype == torch.uint8
        return frames.float().mean((2, 3)) if return_features else frames.float()


class OtherNetwork(nn.Module):
    def forward(self, frames: Tensor) -> Tensor:
        return frames


def save(network: nn.Module, path: Path) -> Path:
    torch.jit.script(network).save(str(path))
    return path


@pytest.fixture
def inception(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small network that counts as the published one."""
    path = save(FrameNetwork(), tmp_path / "inception.pt")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(published_program, "PUBLISHED", {digest: "inception-2015-12-05.pt"})
    return path


def test_without_files_every_metric_is_left_out_with_a_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        networks = load_networks(ReconstructionEvaluationConfig(), CPU)
    assert (networks.perceptual, networks.clips, networks.frames) == (None, None, None)
    assert len(networks.skipped) == 3
    for name in ("vgg16-397923af.pth", "i3d_torchscript.pt", "inception-2015-12-05.pt"):
        assert name in caplog.text


def test_frame_network(inception: Path) -> None:
    networks = load_networks(ReconstructionEvaluationConfig(frame_features=inception), CPU)
    assert networks.frames is not None
    features = networks.frames.features(torch.full((2, 3, 4, 4), 0.5))
    torch.testing.assert_close(features, torch.full((2, 3), 128.0))
    assert len(networks.skipped) == 2


def test_wrong_frame_networks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"other\.pt holds another network"):
        load_frame_features(save(OtherNetwork(), tmp_path / "other.pt"), CPU)
    (tmp_path / "text.pt").write_text("none")
    with pytest.raises(InputError, match=r"text\.pt is no TorchScript"):
        load_frame_features(tmp_path / "text.pt", CPU)


def test_bad_files_cost_their_own_metric_only(
    tmp_path: Path, inception: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "vgg.pth").write_bytes(b"")
    config = ReconstructionEvaluationConfig(
        perceptual_heads=tmp_path / "vgg.pth",
        action_features=tmp_path / "no.pt",
        frame_features=inception,
    )
    networks = load_networks(config, CPU)
    assert networks.frames is not None
    assert (networks.perceptual, networks.clips) == (None, None)
    assert "set both vgg16 and perceptual_heads" in networks.skipped[0]
    assert "no.pt" in networks.skipped[1]
    assert {record.levelname for record in caplog.records} >= {"ERROR"}


def test_wrong_files_for_lpips(tmp_path: Path) -> None:
    for name in ("vgg16.pth", "vgg.pth"):
        torch.save({"something": torch.zeros(2)}, tmp_path / name)
    config = ReconstructionEvaluationConfig(
        vgg16=tmp_path / "vgg16.pth", perceptual_heads=tmp_path / "vgg.pth"
    )
    networks = load_networks(config, CPU)
    assert networks.perceptual is None
    assert "vgg16.pth" in networks.skipped[0]


def test_wrong_networks_for_the_video_distance(tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_text("none")
    other = save(OtherNetwork(), tmp_path / "other.pt")
    for path in (tmp_path / "text.pt", other):
        networks = load_networks(ReconstructionEvaluationConfig(action_features=path), CPU)
        assert networks.clips is None
        assert any(path.name in line for line in networks.skipped)
