import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from vidrep_pipelines.models.carl.sequence_contrast import sequence_contrast

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
