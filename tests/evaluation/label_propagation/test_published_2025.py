"""DINOv3's and RVM's propagation, written out densely and without regard to cost, gives the same maps."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.evaluation.encoders.config import IMAGENET_MEAN, IMAGENET_STD
from vidrep_pipelines.evaluation.label_propagation.config import FrameSize
from vidrep_pipelines.evaluation.label_propagation.frame_features import frame_features
from vidrep_pipelines.evaluation.label_propagation.propagate import propagate
from vidrep_pipelines.evaluation.label_propagation.sequence_run import SequenceRunner
from vidrep_pipelines.evaluation.label_propagation.settings import LabelPropagationConfig, RunSettings

GRID, ORIGINAL, STRIDE = (7, 9), (64, 80), 4  # no middle of a pixel lies between two of the input
Published = tuple[Tensor, NDArray[Any], NDArray[np.bool_]]
INPUT = (GRID[0] * STRIDE, GRID[1] * STRIDE)


class Given(nn.Module):
    """Gives the features that it was told to, frame by frame."""

    name, stride, mean, std = "given", STRIDE, IMAGENET_MEAN, IMAGENET_STD

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        self.rest = list(features)

    def patch_features(self, images: Tensor) -> Tensor:
        return torch.stack([self.rest.pop(0) for _ in images])


def random_video(seed: int) -> tuple[Tensor, Pixels]:
    """Features (T, D, h, w) that change slowly, and a first label map of two objects."""
    generator = torch.Generator().manual_seed(seed)
    scene = torch.randn(1, 8, *GRID, generator=generator)
    features = scene + 0.6 * torch.randn(12, 8, *GRID, generator=generator)
    labels = np.zeros(ORIGINAL, np.uint8)
    labels[5:30, 10:40] = 1
    labels[25:50, 35:65] = 2
    return features, labels


def settings(preset: str, **changes: object) -> RunSettings:
    size = FrameSize(rule="exact", sides=INPUT)
    fields = {"task": "davis", "preset": preset, "frame_size": size, **changes}
    return LabelPropagationConfig.model_validate(fields).resolve()


def winners(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Of maps (C, H, W) the largest channel, and where rounding decides which that is."""
    best = maps.topk(2, dim=0).values
    return maps.argmax(dim=0), best[0] - best[1] < 1e-4


def check(features: Tensor, labels: Pixels, chosen: RunSettings, published: Published) -> None:
    """Soft labels to rounding, and every pixel but those where two labels are equally likely."""
    soft, maps, doubtful = published
    frames = [np.zeros((*ORIGINAL, 3), np.uint8)] * len(features)
    runner = SequenceRunner(Given(features), chosen, torch.device("cpu"), 5)
    found = torch.stack(list(propagate(features, runner._on_grid(labels), chosen.propagation)))
    torch.testing.assert_close(found.double(), soft, rtol=0, atol=2e-5)
    different = np.stack(list(runner.label_maps(frames, labels))) != maps
    assert not (different & ~doubtful).any()
    assert doubtful.mean() < 0.05
    assert len(np.unique(maps[-1])) == 3


def distances() -> Tensor:
    """(cells, cells) between the middles of cells."""
    places = torch.cartesian_prod(torch.arange(GRID[0]), torch.arange(GRID[1])).double()
    return torch.cdist(places, places)


def dinov3(features: Tensor, labels: Pixels, radius: float) -> Published:
    rows, columns = (
        ((torch.arange(new) + 0.5) * old / new).floor().long()
        for new, old in zip(GRID, ORIGINAL, strict=True)
    )
    small = torch.from_numpy(labels).long()[rows[:, None], columns]
    cells = F.normalize(features.double(), dim=1).flatten(2).transpose(1, 2)
    soft = [F.one_hot(small.flatten(), int(labels.max()) + 1).double()]
    results, doubts = [labels], [np.zeros(ORIGINAL, bool)]
    for time in range(1, len(features)):
        context = [0, *range(max(1, time - 7), time)]
        similarity = torch.cat([cells[time] @ cells[other].T for other in context], dim=1)
        far = (distances() > radius).repeat(1, len(context))
        similarity[far] = -torch.inf
        fifth = similarity.sort(dim=1, descending=True).values[:, 4:5]
        similarity[similarity < fifth] = -torch.inf
        mixed = (similarity / 0.2).softmax(dim=1) @ torch.cat([soft[other] for other in context])
        soft.append(mixed / mixed.sum(dim=1, keepdim=True))
        maps = soft[-1].T.reshape(-1, *GRID)
        up = [(torch.arange(new) * old // new) for new, old in zip(ORIGINAL, GRID, strict=True)]
        maps = maps[:, up[0][:, None], up[1]]
        low, high = maps.amin(dim=(1, 2), keepdim=True), maps.amax(dim=(1, 2), keepdim=True)
        winner, doubtful = winners(((maps - low) / (high - low)).nan_to_num(0))
        results.append(winner.numpy())
        doubts.append(doubtful.numpy())
    return torch.stack([labels.T.reshape(-1, *GRID) for labels in soft]), np.stack(results), np.stack(doubts)


def rvm(features: Tensor, labels: Pixels, radius: float) -> Published:
    first = torch.from_numpy(labels)
    at_input = F.interpolate(first[None, None].double(), size=INPUT, mode="nearest")[0, 0]
    classes = first.unique()
    one_hot = torch.stack([(at_input == label).double() for label in classes])
    on_grid = F.interpolate(one_hot[None], size=GRID, mode="bilinear")[0].flatten(1).T
    cells = F.normalize(features.double(), dim=1).flatten(2).transpose(1, 2)
    queue = [(cells[0], on_grid)] * 20
    maps, results, doubts = [on_grid], [labels], [np.zeros(ORIGINAL, bool)]
    for time in range(1, len(features)):
        context = [(cells[0], on_grid), *queue]
        similarity = torch.stack([cells[time] @ other.T for other, _ in context], dim=1) / 0.7
        similarity[:, 1:] += torch.where(distances() < radius, 0.0, -1e10)[:, None]
        best = similarity.flatten(1).topk(7, dim=1)
        known = torch.cat([soft for _, soft in context])
        soft = (best.values.softmax(dim=1)[..., None] * known[best.indices]).sum(dim=1)
        queue = [*queue[1:], (cells[time], soft)]
        maps.append(soft)
        large = F.interpolate(soft.T.reshape(1, -1, *GRID), size=INPUT, mode="bilinear")[0]
        winner, doubtful = winners(large)
        both = torch.stack([classes[winner].double(), doubtful.double()])
        whole = F.interpolate(both[None], size=ORIGINAL, mode="nearest-exact")[0]
        results.append(whole[0].numpy())
        doubts.append(whole[1].numpy() > 0)
    return torch.stack([soft.T.reshape(-1, *GRID) for soft in maps]), np.stack(results), np.stack(doubts)


@pytest.mark.parametrize("radius", [2.0, 12.0])
@pytest.mark.parametrize("seed", range(3))
def test_dinov3(seed: int, radius: float) -> None:
    features, labels = random_video(seed)
    check(features, labels, settings("dinov3", radius=radius), dinov3(features, labels, radius))


@pytest.mark.parametrize("radius", [2.0, 20.0])
@pytest.mark.parametrize("seed", range(3))
def test_rvm(seed: int, radius: float) -> None:
    features, labels = random_video(seed)
    check(features, labels, settings("rvm", radius=radius), rvm(features, labels, radius))


@pytest.mark.parametrize(("preset", "filter_"), [("dinov3", "BICUBIC"), ("rvm", "LANCZOS")])
def test_frames_are_resized_by_pillow(preset: str, filter_: str) -> None:
    class Seen(Given):
        def patch_features(self, images: Tensor) -> Tensor:
            self.images = images
            return images[..., ::STRIDE, ::STRIDE]

    frame = np.random.default_rng(0).integers(0, 256, (*ORIGINAL, 3), dtype=np.uint8)
    encoder = Seen(torch.empty(0))
    list(frame_features([frame], encoder, INPUT, settings(preset), torch.device("cpu"), 1))
    resized = Image.fromarray(frame).resize(INPUT[::-1], getattr(Image.Resampling, filter_))
    expected = torch.from_numpy(np.array(resized)).movedim(-1, 0) / 255
    restored = encoder.images[0] * torch.tensor(IMAGENET_STD)[:, None, None]
    restored = restored + torch.tensor(IMAGENET_MEAN)[:, None, None]
    torch.testing.assert_close(restored, expected, rtol=0, atol=1e-5)
