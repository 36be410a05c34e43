import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from vidrep_pipelines.models.carl.losses import (
    cycle_consistency,
    frame_classification,
    sequence_contrast,
    time_contrast,
)

NEGATIVES = ("single_noself", "batch_noself", "single", "batch")


def make_views(batch: int = 2, frames: int = 5, seed: int = 0, padding: bool = True) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)
    embeddings = functional.normalize(torch.randn(batch, 2, frames, 6, generator=generator), dim=-1)
    steps = torch.randint(0, 20, (batch, 2, frames), generator=generator).sort(dim=-1).values
    mask = torch.ones(batch, 2, frames)
    if padding:
        mask[0, 1, frames - 2 :] = 0
    return {"embeddings": embeddings, "steps": steps, "lengths": torch.full((batch, 2), 21), "mask": mask}


def slow(views: dict[str, Tensor], temperature: float, variance: float, negatives: str) -> float:
    """Frame after frame, in double precision, as the paper's equations have it."""
    names = ("embeddings", "steps", "mask")
    embeddings, steps, mask = (views[name].double().flatten(0, 2) for name in names)
    batch, _, frames, _ = views["embeddings"].shape
    owner = [(b, v) for b in range(batch) for v in range(2) for _ in range(frames)]
    total = 0.0
    for i, (video, view) in enumerate(owner):
        targets, denominator = {}, 0.0
        for j, (other_video, other_view) in enumerate(owner):
            weight = float(other_video == video or not negatives.startswith("single"))
            if negatives.endswith("noself") and (other_video, other_view) == (video, view):
                weight = 0.0
            real = bool(mask[i] * mask[j])
            denominator += (weight if real else 1e-6) * math.exp(
                float(embeddings[i] @ embeddings[j]) / temperature
            )
            if real and other_video == video and other_view != view:
                targets[j] = math.exp(-float((steps[i] - steps[j]) ** 2) / (2 * variance))
        for j, target in targets.items():
            q = target / sum(targets.values())
            p = math.exp(float(embeddings[i] @ embeddings[j]) / temperature) / denominator
            total += q * (math.log(q) - math.log(p + 1e-6)) if q else 0.0
    return total / float(mask.sum())


@pytest.mark.parametrize("negatives", NEGATIVES)
@pytest.mark.parametrize("padding", [False, True])
def test_loss_is_the_papers(negatives: Any, padding: bool) -> None:
    views = make_views(padding=padding)
    found = sequence_contrast(**views, temperature=0.3, variance=10.0, negatives=negatives)
    assert found.item() == pytest.approx(slow(views, 0.3, 10.0, negatives), rel=1e-4)


@given(st.integers(0, 1000), st.sampled_from(NEGATIVES))
@settings(max_examples=25, deadline=None)
def test_order_of_videos_and_views_does_not_matter(seed: int, negatives: Any) -> None:
    views = make_views(3, seed=seed)
    swapped = {name: value.flip(0).flip(1) for name, value in views.items()}
    found = sequence_contrast(**views, negatives=negatives)
    torch.testing.assert_close(sequence_contrast(**swapped, negatives=negatives), found)


def test_padding_gets_and_gives_no_gradient_to_speak_of() -> None:
    views = make_views()
    embeddings = views["embeddings"].requires_grad_()
    sequence_contrast(**views).backward()  # type: ignore[no-untyped-call]
    assert embeddings.grad is not None
    lengths = embeddings.grad.norm(dim=-1)
    real = views["mask"].bool()
    assert lengths[~real].max() < 1e-3 * lengths[real].mean()


def test_aligned_views_are_better_than_shuffled_ones() -> None:
    steps = torch.arange(8).expand(1, 2, 8) * 10
    rows = functional.normalize(torch.randn(8, 32, generator=torch.Generator().manual_seed(0)), dim=-1)
    facts = (steps, torch.full((1, 2), 80), torch.ones(1, 2, 8))
    aligned = sequence_contrast(torch.stack([rows, rows])[None], *facts)
    shuffled = sequence_contrast(torch.stack([rows, rows.flip(0)])[None], *facts)
    assert aligned < 0.1 < shuffled


def test_further_negatives_are_those_of_a_larger_batch() -> None:
    """The frames of video 2, given as further negatives of video 1, count as in one batch of both."""
    views = make_views(2, padding=False)
    halves = [{name: value[item : item + 1] for name, value in views.items()} for item in (0, 1)]
    others = [half["embeddings"].flatten(0, 2) for half in reversed(halves)]
    losses = [
        sequence_contrast(**half, negatives="batch_noself", others=other)
        for half, other in zip(halves, others, strict=True)
    ]
    whole = sequence_contrast(**views, negatives="batch_noself")
    torch.testing.assert_close(torch.stack(losses).mean(), whole)
    alone = sequence_contrast(**halves[0], negatives="batch_noself", others=others[0][:0])
    torch.testing.assert_close(alone, sequence_contrast(**halves[0], negatives="batch_noself"))


def test_half_precision_is_computed_in_float32() -> None:
    views = make_views()
    expected = sequence_contrast(**{**views, "embeddings": views["embeddings"].bfloat16().float()})
    found = sequence_contrast(**{**views, "embeddings": views["embeddings"].bfloat16()})
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)


def test_a_batch_of_padding_has_no_loss() -> None:
    views = make_views()
    views["embeddings"].requires_grad_()
    loss = sequence_contrast(**{**views, "mask": torch.zeros(2, 2, 5)})
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss == 0 and not views["embeddings"].grad.any()


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


def published_cycle_consistency(
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
    assert found.loss.item() == pytest.approx(published_cycle_consistency(*videos, **options), rel=1e-3)


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


def test_loss_is_that_of_n_pairs() -> None:
    videos = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    losses = []
    for video in videos.double().tolist():
        anchors, positives = video[0::2], video[1::2]
        for number, anchor in enumerate(anchors):
            scores = [sum(x * y for x, y in zip(anchor, other, strict=True)) for other in positives]
            contrast = math.log(sum(map(math.exp, scores))) - scores[number]
            lengths = sum(x * x for x in anchor) + sum(x * x for x in positives[number])
            losses.append(contrast + 0.25 * 0.5 * lengths)
    found = time_contrast(videos, norm_weight=0.5)
    assert found.item() == pytest.approx(sum(losses) / len(losses), rel=1e-5)


def test_the_right_pairs_are_better() -> None:
    anchors = 4 * torch.eye(5)
    right = torch.stack([anchors, anchors], dim=1).flatten(0, 1)
    wrong = torch.stack([anchors, anchors.roll(1, 0)], dim=1).flatten(0, 1)
    assert time_contrast(right[None]) < 0.1 < time_contrast(wrong[None])


def test_only_real_labelled_frames_count() -> None:
    logits = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.tensor([[0, 1, -1, 2], [2, -1, 0, 1]])
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])
    chosen = [(0, 0), (0, 1), (1, 0), (1, 2), (1, 3)]
    expected = [functional.cross_entropy(logits[place], labels[place]) for place in chosen]
    loss, accuracy = frame_classification(logits, labels, mask)
    torch.testing.assert_close(loss, torch.stack(expected).mean())
    right = [float(logits[place].argmax() == labels[place]) for place in chosen]
    torch.testing.assert_close(accuracy, torch.tensor(right).mean())
    loss.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None and not logits.grad[0, 2:].any()


def test_a_batch_without_labels_has_no_loss() -> None:
    loss, accuracy = frame_classification(torch.randn(1, 3, 2), torch.full((1, 3), -1), torch.ones(1, 3))
    assert loss == 0 and accuracy == 0
