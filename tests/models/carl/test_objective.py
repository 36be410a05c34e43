from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional

from vidrep_pipelines.models.carl.config import CarlObjectiveConfig
from vidrep_pipelines.models.carl.losses import cycle_consistency, sequence_contrast, time_contrast
from vidrep_pipelines.models.carl.objective import Excerpts, carl_objective


def make_batch(batch: int = 4, views: int = 2, frames: int = 6, seed: int = 0) -> tuple[Tensor, Excerpts]:
    generator = torch.Generator().manual_seed(seed)
    outputs = functional.normalize(torch.randn(batch, views, frames, 8, generator=generator), dim=-1)
    positions = torch.randint(0, 30, (batch, views, frames), generator=generator).sort(-1).values
    lengths, mask = torch.full((batch, views), 31), torch.ones(batch, views, frames)
    labels = torch.randint(-1, 8, (batch, views, frames), generator=generator)
    return outputs, Excerpts(positions, lengths, mask, labels, torch.arange(batch) + 10)


def part(outputs: Tensor, views: Excerpts, rows: slice) -> tuple[Tensor, Excerpts]:
    assert views.labels is not None and views.items is not None
    chosen = (views.positions, views.lengths, views.mask, views.labels, views.items)
    return outputs[rows], Excerpts(*(value[rows] for value in chosen))


def test_contrast_pairs_the_two_views_of_each_video() -> None:
    outputs, views = make_batch(views=4)
    found = carl_objective(outputs, views, CarlObjectiveConfig())
    pairs = [
        value.reshape(8, 2, *value.shape[2:])
        for value in (outputs, views.positions, views.lengths, views.mask)
    ]
    torch.testing.assert_close(found.loss, sequence_contrast(*pairs))


def test_cycles_stay_within_a_sample() -> None:
    outputs, views = make_batch(views=3)
    found = carl_objective(outputs, views, CarlObjectiveConfig(name="tcc", cycle_loss="regression_mse"))
    alone = [
        cycle_consistency(
            outputs[item], views.positions[item], views.lengths[item], loss="regression_mse"
        ).loss
        for item in range(4)
    ]
    torch.testing.assert_close(found.loss, torch.stack(alone).mean())
    assert {"squared_error", "log_variance"} == found.metrics.keys()


def test_time_contrast_takes_all_views() -> None:
    outputs, views = make_batch()
    found = carl_objective(outputs, views, CarlObjectiveConfig(name="tcn", norm_weight=0.1))
    torch.testing.assert_close(found.loss, time_contrast(outputs.flatten(0, 1), norm_weight=0.1))


def test_classification_reports_its_accuracy() -> None:
    outputs, views = make_batch()
    assert views.labels is not None
    perfect = 20 * functional.one_hot(views.labels.clamp_min(0), 8).float()
    found = carl_objective(perfect, views, CarlObjectiveConfig(name="classification"))
    assert found.loss < 1e-5 and found.metrics["accuracy"] == 1
    assert carl_objective(outputs, views, CarlObjectiveConfig(name="classification")).metrics["accuracy"] < 1


def test_time_error_is_zero_where_views_show_the_same() -> None:
    _, views = make_batch(1)
    same = Excerpts(views.positions[:, :1].expand(1, 2, 6), views.lengths, views.mask)
    distinct = torch.eye(6, 8).expand(1, 2, 6, 8)
    assert carl_objective(distinct, same, CarlObjectiveConfig()).metrics["time_error"] == 0
    mask = views.mask.clone()
    mask[:, 1, 0] = 0
    masked = Excerpts(torch.arange(6).expand(1, 2, 6), views.lengths, mask)
    metrics = carl_objective(distinct, masked, CarlObjectiveConfig()).metrics
    assert metrics["time_error"] == pytest.approx(1 / 6)  # the first frame finds the second
    assert metrics["real_share"] == pytest.approx(11 / 12)


def test_gathered_negatives_make_processes_compute_the_loss_of_the_whole_batch() -> None:
    config = CarlObjectiveConfig(negatives="batch_noself", gather_negatives=True)
    outputs, views = make_batch()
    halves = [part(outputs, views, slice(0, 2)), part(outputs, views, slice(2, 4))]
    everyone: dict[int, Tensor] = {
        id(halves[own][1].items): views.items for own in (0, 1) if views.items is not None
    }

    def gather(tensor: Tensor) -> Tensor:
        if id(tensor) in everyone:
            return everyone[id(tensor)]
        return outputs if tensor.ndim == 4 else views.mask

    losses = [carl_objective(*half, config, gather).loss for half in halves]
    whole = carl_objective(outputs, views, CarlObjectiveConfig(negatives="batch_noself")).loss
    torch.testing.assert_close(torch.stack(losses).mean(), whole)
    alone = carl_objective(*halves[0], config, torch.Tensor.detach).loss
    torch.testing.assert_close(
        alone, carl_objective(*halves[0], CarlObjectiveConfig(negatives="batch_noself")).loss
    )


@pytest.mark.parametrize("fields", [{}, {"name": "tcc", "negatives": "batch"}])
def test_gathering_needs_negatives_from_other_videos(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="gather_negatives"):
        CarlObjectiveConfig(gather_negatives=True, **fields)


@pytest.mark.parametrize("first", [2, 1])
@pytest.mark.parametrize("name", ["scl", "classification"])
def test_processes_with_different_numbers_of_real_frames_weigh_them_alike(name: str, first: int) -> None:
    outputs, views = make_batch()
    views.mask[2:, :, 3:] = 0
    assert views.labels is not None
    views.labels[0, :, ::2] = -1
    if name == "scl":  # padding that is unlike everything, and so takes no part
        outputs = functional.pad(outputs, (0, 1))
        outputs[2:, :, 3:] = functional.one_hot(torch.tensor(8)).float()
    config = CarlObjectiveConfig.model_validate({"name": name})
    parts = [part(outputs, views, rows) for rows in (slice(0, first), slice(first, 4))]
    samples = torch.tensor([first / 4, 1 - first / 4])  # a process weighs as many samples as it has
    counts = list[Tensor]()
    for own in parts:
        carl_objective(*own, config, mean_across_ranks=lambda count: counts.append(count) or count)
    assert counts[0] != counts[1]
    mean = (samples * torch.stack(counts)).sum()
    shares = [carl_objective(*own, config, mean_across_ranks=lambda count: mean).loss for own in parts]
    whole = carl_objective(outputs, views, config).loss
    torch.testing.assert_close((samples * torch.stack(shares)).sum(), whole, atol=1e-5, rtol=1e-5)
    alone = (samples * torch.stack([carl_objective(*own, config).loss for own in parts])).sum()
    assert not torch.isclose(alone, whole, atol=1e-3)
