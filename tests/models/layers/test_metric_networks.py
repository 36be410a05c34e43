import hashlib
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.reconstruction.networks import load_frame_features
from vidrep_pipelines.models.layers import perceptual_distance, published_program
from vidrep_pipelines.models.layers.action_features import ActionFeatures
from vidrep_pipelines.models.layers.perceptual_distance import VGG16_WIDTHS, PerceptualDistance, Vgg16Features

NARROW = (4, 4, 8, 8, 8)


def test_vgg_has_the_published_layout_and_stages() -> None:
    with torch.device("meta"):
        network = Vgg16Features()
        shapes = [tuple(stage.shape) for stage in network(torch.zeros(1, 3, 64, 48))]
    assert shapes == [(1, w, 64 // 2**k, 48 // 2**k) for k, w in enumerate(VGG16_WIDTHS)]
    weights = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert len(weights) == 26
    assert weights["features.28.weight"] == (512, 512, 3, 3) and weights["features.0.bias"] == (64,)
    assert sum(value.numel() for value in network.parameters()) == 14_714_688


def test_perceptual_distance_is_zero_for_equal_and_grows_with_noise() -> None:
    distance = PerceptualDistance.random(3, NARROW)
    pictures, noise = torch.rand(2, 3, 32, 32), torch.randn(2, 3, 32, 32)
    values = [distance(pictures, pictures + scale * noise) for scale in (0.0, 0.02, 0.2)]
    assert values[0].shape == (2,) and not values[0].any()
    assert (values[1] > 0).all() and (values[2] > values[1]).all()


def test_perceptual_distance_is_frozen_but_passes_gradients() -> None:
    distance = PerceptualDistance.random(3, NARROW).train()
    picture = torch.rand(1, 3, 32, 32, requires_grad=True)
    real = torch.rand(1, 3, 32, 32)
    value = distance(real, picture)
    assert torch.equal(value, distance.eval()(real, picture))
    value.sum().backward()
    assert picture.grad is not None and picture.grad.any()
    assert not any(parameter.requires_grad for parameter in distance.parameters())


def test_random_distances_follow_from_the_seed() -> None:
    pair = torch.rand(2, 1, 3, 32, 32)
    first, again, other = (PerceptualDistance.random(seed, NARROW)(*pair) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def saved(folder: Path, **changes: Tensor) -> tuple[Path, Path]:
    trunk, heads = folder / "vgg16.pth", folder / "vgg.pth"
    weights = {**Vgg16Features().state_dict(), "classifier.0.weight": torch.zeros(2, 2)}
    torch.save({**weights, **{k: v for k, v in changes.items() if k.startswith("features")}}, trunk)
    rows = {f"lin{k}.model.1.weight": torch.rand(1, w, 1, 1) for k, w in enumerate(VGG16_WIDTHS)}
    torch.save({**rows, **{k: v for k, v in changes.items() if k.startswith("lin")}}, heads)
    return trunk, heads


def test_the_published_files_are_read(tmp_path: Path) -> None:
    trunk, heads = saved(tmp_path)
    distance = PerceptualDistance.load(trunk, heads)
    expected = torch.load(heads, weights_only=True)["lin2.model.1.weight"].flatten()
    assert torch.equal(distance.heads[2], expected)


def test_files_that_fit_and_are_not_the_published_ones_are_said_to_be_unknown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    trunk, heads = saved(tmp_path)
    PerceptualDistance.load(trunk, heads)
    assert "vgg16.pth, which is not the published vgg16-397923af.pth" in caplog.text
    assert "vgg.pth, which is not the published vgg.pth" in caplog.text
    digests = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in (trunk, heads)}
    names = dict(zip(digests, ("vgg16-397923af.pth", "vgg.pth"), strict=True))
    monkeypatch.setattr(perceptual_distance, "_PUBLISHED", names)
    assert perceptual_distance.unknown_files(trunk, heads) == []
    assert len(perceptual_distance.unknown_files(heads, trunk)) == 2  # each in the place of the other


@pytest.mark.parametrize("wrong", ["lin0.model.1.weight", "features.0.weight"])
def test_files_of_other_networks_are_refused_by_name(tmp_path: Path, wrong: str) -> None:
    trunk, heads = saved(tmp_path, **{wrong: torch.zeros(3)})
    with pytest.raises(InputError, match=wrong.replace(".", r"\.")):
        PerceptualDistance.load(trunk, heads)
    with pytest.raises(InputError, match="nowhere"):
        PerceptualDistance.load(tmp_path / "nowhere.pth", heads)


class Pooled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)

    def forward(self, x: Tensor, rescale: bool, resize: bool, return_features: bool) -> Tensor:
        assert x.shape[2] >= 2
        return self.norm(x.mean(dim=[2, 3, 4]))


def script(path: Path) -> Path:
    torch.jit.script(Pooled()).save(str(path))
    return path


def publish(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lets a file count as the published one."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(published_program, "PUBLISHED", {digest: "i3d_torchscript.pt"})
    return path


def test_action_features_see_clips_in_their_own_units_and_never_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = ActionFeatures.load(publish(script(tmp_path / "i3d.pt"), monkeypatch)).train()
    clips = torch.rand(2, 4, 3, 16, 16)
    features = network(clips)
    expected = 2 * clips.mean(dim=(1, 3, 4)) - 1
    torch.testing.assert_close(features, expected / (1 + 1e-5) ** 0.5, atol=1e-4, rtol=0)
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_unusable_action_networks_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.pt").write_text("no network")
    for name in ("nowhere.pt", "text.pt"):
        with pytest.raises(InputError, match=name.replace(".", r"\.")):
            ActionFeatures.load(tmp_path / name)
    with pytest.raises(InputError, match="1 frames"):
        network = ActionFeatures.load(publish(script(tmp_path / "i3d.pt"), monkeypatch))
        network(torch.rand(2, 1, 3, 16, 16))


class Intruder(nn.Module):
    """What TorchScript may do wherever it is loaded or run."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self.target = target
        self.written = torch.zeros(1)

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        return self.target, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        self.target, self.training = state[0], state[1]
        self.written = torch.from_file(self.target, shared=True, size=16)

    def forward(self, x: Tensor, rescale: bool, resize: bool, return_features: bool) -> Tensor:
        return x


def test_torchscript_of_others_is_not_executed(tmp_path: Path) -> None:
    path, victim = tmp_path / "i3d_torchscript.pt", tmp_path / "written by the file"
    torch.jit.script(Intruder(str(victim))).save(str(path))
    torch.jit.load(str(path))
    victim.unlink()  # so such a file does execute
    with pytest.raises(
        InputError, match=r"i3d_torchscript\.pt holds another network.*nothing in it was exec"
    ):
        ActionFeatures.load(path)
    with pytest.raises(InputError, match="nothing in it was executed"):
        load_frame_features(path, torch.device("cpu"))
    with pytest.raises(InputError, match=r"i3d_torchscript\.pt"):
        PerceptualDistance.load(path, path)
    assert not victim.exists()


def test_no_network_is_to_blame_for_a_lack_of_memory() -> None:
    class Full(nn.Module):
        def forward(self, video: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        ActionFeatures(Full())(torch.zeros(1, 9, 3, 8, 8))
