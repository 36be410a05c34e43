from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.layers.action_features import ActionFeatures
from vidrep_pipelines.models.layers.i3d import I3d, I3dWidths

NARROW = I3dWidths(
    stem=(4, 4, 6), blocks=tuple((name, (3, 2, 4, 1, 2, 2)) for name, _ in I3dWidths().blocks), classes=5
)


def randomized(network: I3d, seed: int = 0) -> I3d:
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            draws = torch.rand(value.shape, generator=generator)
            value.copy_(0.5 + draws if "running_var" in name or "bn.weight" in name else draws - 0.3)
    return network.eval()


def same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's padding: the output has ceil(size / stride) values, an odd zero goes behind."""
    total = max(kernel - stride if size % stride == 0 else kernel - size % stride, 0)
    return total // 2, total - total // 2


def padded(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    t, h, w = (same(*sizes) for sizes in zip(x.shape[2:], kernel, stride, strict=True))
    return F.pad(x, (*w, *h, *t))


def unit(weights: dict[str, Tensor], name: str, x: Tensor, stride: int = 1) -> Tensor:
    kernel = weights[f"{name}.conv3d.weight"]
    x = F.conv3d(padded(x, tuple(kernel.shape[2:]), (stride,) * 3), kernel, stride=stride)
    mean, variance, scale, shift = (
        weights[f"{name}.bn.{part}"].view(1, -1, 1, 1, 1)
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return ((x - mean) / torch.sqrt(variance + 0.001) * scale + shift).clamp(min=0)


def pool(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    (front_t, back_t), (front_h, back_h), (front_w, back_w) = (
        same(*sizes) for sizes in zip(x.shape[2:], kernel, stride, strict=True)
    )
    x = F.pad(x, (front_w, back_w, front_h, back_h, front_t, back_t), value=-torch.inf)
    for axis, (size, step) in enumerate(zip(kernel, stride, strict=True), start=2):
        x = x.unfold(axis, size, step).amax(dim=-1)
    return x


def reference(weights: dict[str, Tensor], video: Tensor) -> Tensor:
    """The network as the paper's figure draws it, from its weights alone."""
    x = unit(weights, "Conv3d_1a_7x7", video, stride=2)
    x = pool(x, (1, 3, 3), (1, 2, 2))
    x = unit(weights, "Conv3d_2c_3x3", unit(weights, "Conv3d_2b_1x1", x))
    x = pool(x, (1, 3, 3), (1, 2, 2))
    for block in ("3b", "3c", None, "4b", "4c", "4d", "4e", "4f", "", "5b", "5c"):
        if not block:
            x = pool(x, (3,) * 3 if block is None else (2,) * 3, (2,) * 3)
            continue
        name = f"Mixed_{block}"
        branches = [
            unit(weights, f"{name}.b0", x),
            unit(weights, f"{name}.b1b", unit(weights, f"{name}.b1a", x)),
            unit(weights, f"{name}.b2b", unit(weights, f"{name}.b2a", x)),
            unit(weights, f"{name}.b3b", pool(x, (3,) * 3, (1,) * 3)),
        ]
        x = torch.cat(branches, dim=1)
    x = x.unfold(2, 2, 1).mean(-1).mean((3, 4))  # 7 x 7 is the whole picture
    scores = torch.einsum("bct,kc->bkt", x, weights["logits.conv3d.weight"][..., 0, 0, 0])
    return scores.mean(2) + weights["logits.conv3d.bias"]


@pytest.mark.parametrize("frames", [9, 12, 19])
def test_features_are_those_of_the_published_network(frames: int) -> None:
    network = randomized(I3d(NARROW))
    video = torch.rand(2, 3, frames, 224, 224, generator=torch.Generator().manual_seed(frames)) * 2 - 1
    with torch.inference_mode():
        found = network(video)
        expected = reference(dict(network.state_dict()), video)
    assert found.shape == (2, 5) and found.std() > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_the_published_sizes() -> None:
    with torch.device("meta"):
        network = I3d()
    assert sum(value.numel() for value in network.parameters()) == 12_697_264
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert shapes["Conv3d_1a_7x7.conv3d.weight"] == (64, 3, 7, 7, 7)
    assert shapes["Mixed_3b.b1b.conv3d.weight"] == (128, 96, 3, 3, 3)
    assert shapes["Mixed_5c.b2b.bn.running_var"] == (128,)
    assert shapes["logits.conv3d.weight"] == (400, 1024, 1, 1, 1) and shapes["logits.conv3d.bias"] == (400,)


def test_weights_alone_are_read_strictly(tmp_path: Path) -> None:
    network = randomized(I3d())
    weights = {name: value for name, value in network.state_dict().items() if "num_batches" not in name}
    torch.save({f"module.{name}": value for name, value in weights.items()}, tmp_path / "i3d.pt")
    loaded = ActionFeatures.load(tmp_path / "i3d.pt")
    for name, value in loaded.network.state_dict().items():
        assert torch.equal(value, network.state_dict()[name]), name
    assert not loaded.network.training and not any(p.requires_grad for p in loaded.parameters())
    del weights["Mixed_4f.b0.bn.bias"]
    torch.save({**weights, "extra": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(
        InputError, match=r"other\.pt holds another network: Mixed_4f\.b0\.bn\.bias, extra do"
    ):
        ActionFeatures.load(tmp_path / "other.pt")
