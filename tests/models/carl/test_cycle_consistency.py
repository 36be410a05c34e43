import math
from typing import Any

import pytest
import torch
from torch import Tensor

from vidrep_pipelines.models.carl.cycle_consistency import cycle_consistency


def make_videos(videos: int = 3, frames: int = 5, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    steps = torch.randint(0, 30, (videos, frames), generator=generator).sort(dim=-1).values
    return (
        0.5 * torch.randn(videos, frames, 4, generator=generator),
        steps,
        torch.tensor([31, 40, 50][:videos]),
    )


def softmax(values: list[float]) -> list[float]:
    top = max(values)
    powers = [math.exp(value - top) for value in values]
    return [power / sum(powers) for power in powers]


def slow(
    embeddings: Tensor, steps: Tensor, lengths: Tensor, *, loss: str, similarity: str, normalize_time: bool
) -> float:
    """Cycle after cycle, in double precision."""
    rows, width, eps = embeddings.double(), embeddings.shape[2], 0.1
    frames = embeddings.shape[1]

    def similar(x: Tensor, y: Tensor) -> float:
        value = float(x @ y) if similarity == "cosine" else -float(((x - y) ** 2).sum())
        return value / (width * 0.1)

    found = []
    for a in range(len(rows)):
        times = [float(steps[a, k]) / (float(lengths[a]) if normalize_time else 1.0) for k in range(frames)]
        for b in range(len(rows)):
            for i in range(frames if a != b else 0):
                there = softmax([similar(rows[a, i], rows[b, k]) for k in range(frames)])
                soft = sum((weight * rows[b, k] for k, weight in enumerate(there)), start=torch.zeros(width))
                back = softmax([similar(soft.double(), rows[a, k]) for k in range(frames)])
                target = [1 - eps if k == i else eps / (frames - 1) for k in range(frames)]
                goal = sum(q * t for q, t in zip(target, times, strict=True))
                time = sum(p * t for p, t in zip(back, times, strict=True))
                variance = sum(p * (t - time) ** 2 for p, t in zip(back, times, strict=True))
                error = abs(goal - time)
                found.append(
                    {
                        "regression_mse": error**2,
                        "regression_mse_var": error**2 / variance + 0.001 * math.log(variance),
                        "regression_huber": error - 0.5 if error > 1 else 0.5 * error**2,
                        "classification": -sum(q * math.log(p) for q, p in zip(target, back, strict=True)),
                    }[loss]
                )
    return sum(found) / len(found)


@pytest.mark.parametrize("normalize_time", [True, False])
@pytest.mark.parametrize("similarity", ["l2", "cosine"])
@pytest.mark.parametrize(
    "loss", ["regression_mse_var", "regression_mse", "regression_huber", "classification"]
)
def test_every_variant_is_the_papers(loss: Any, similarity: Any, normalize_time: bool) -> None:
    videos = make_videos()
    options = {"loss": loss, "similarity": similarity, "normalize_time": normalize_time}
    found = cycle_consistency(*videos, **options)
    assert found.loss.item() == pytest.approx(slow(*videos, **options), rel=1e-3)


def test_videos_that_agree_cycle_back() -> None:
    rows = 5 * torch.eye(6)
    facts = torch.arange(6).expand(2, 6), torch.tensor([6, 6])
    same = cycle_consistency(torch.stack([rows, rows]), *facts, loss="classification", label_smoothing=0.0)
    other = cycle_consistency(
        torch.stack([rows, torch.ones(6, 6)]), *facts, loss="classification", label_smoothing=0.0
    )
    assert same.loss < 1e-3 < other.loss
    assert same.squared_error < other.squared_error


def test_a_certain_cycle_has_no_infinite_loss() -> None:
    """The variance of a cycle that returns to exactly one frame is zero; the original died of it."""
    rows = (1e3 * torch.eye(4))[None].repeat(2, 1, 1).requires_grad_()
    found = cycle_consistency(rows, torch.arange(4).expand(2, 4), torch.tensor([4, 4]), label_smoothing=0.0)
    found.loss.backward()  # type: ignore[no-untyped-call]
    assert rows.grad is not None
    assert torch.isfinite(found.loss) and torch.isfinite(rows.grad).all()


def test_metrics_are_detached() -> None:
    embeddings, steps, lengths = make_videos()
    found = cycle_consistency(embeddings.requires_grad_(), steps, lengths)
    assert found.loss.requires_grad
    assert not found.squared_error.requires_grad and not found.log_variance.requires_grad
