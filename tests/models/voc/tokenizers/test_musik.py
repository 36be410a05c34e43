from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.models.voc.tokenizers.tiny import ACTIONS, PIXELS, make_frames, musik_config
from vidrep_pipelines.models.voc.tokenizers.config import QuantizationConfig
from vidrep_pipelines.models.voc.tokenizers.dataset import draw_offset, prepare_frames
from vidrep_pipelines.models.voc.tokenizers.musik.checkpoint_io import load_into, load_original, to_original
from vidrep_pipelines.models.voc.tokenizers.musik.config import MusikObjectiveConfig
from vidrep_pipelines.models.voc.tokenizers.musik.model import ActionEnergy, MusikTokenizer
from vidrep_pipelines.models.voc.tokenizers.musik.objective import draw_negatives, musik_objective


def make_model() -> MusikTokenizer:
    torch.manual_seed(0)
    return MusikTokenizer(musik_config()).train()


def test_energy_equals_the_plain_network_over_all_candidates() -> None:
    torch.manual_seed(0)
    energy = ActionEnergy(5, ACTIONS, 8).train()
    state, later, actions = torch.randn(4, 5), torch.randn(4, 5), torch.randn(4, 7, ACTIONS)
    plain = nn.BatchNorm1d(8)
    rows = torch.cat([state, later], dim=1)[:, None].expand(-1, 7, -1)
    hidden = energy.hidden(torch.cat([rows, actions], dim=2)).flatten(0, 1)
    expected = energy.energy(F.relu(plain(hidden))).reshape(4, 7)
    torch.testing.assert_close(energy(state, later, actions), expected)
    assert plain.running_mean is not None and energy.norm.running_mean is not None
    torch.testing.assert_close(energy.norm.running_mean, plain.running_mean)


def test_order_of_the_candidates_has_no_effect() -> None:
    frames = prepare_frames(make_frames(12), PIXELS).unflatten(0, (6, 2))
    actions, negatives = torch.rand(3, ACTIONS), torch.rand(3, 9, ACTIONS)
    losses = [
        musik_objective(make_model(), frames[:3], frames[3:], actions, others, QuantizationConfig())
        for others in (negatives, negatives.flip(1))
    ]
    assert losses[0].loss.item() == pytest.approx(losses[1].loss.item(), rel=1e-5)
    assert losses[0].counts.sum() == 12 * 64
    losses[0].loss.backward()


def test_training_learns_which_action_moved_the_picture() -> None:
    model = make_model()
    generator = torch.Generator().manual_seed(3)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    accuracy = []
    for _ in range(60):
        actions = 2 * torch.rand(16, ACTIONS, generator=generator) - 1
        still = torch.zeros(16, 2, 3, 16, 16)
        moved = still + actions[:, 0].sign()[:, None, None, None, None]
        negatives = 2 * torch.rand(16, 3, ACTIONS, generator=generator) - 1
        losses = musik_objective(model, still, moved, actions, negatives, QuantizationConfig())
        optimizer.zero_grad()
        losses.loss.backward()
        optimizer.step()
        accuracy.append(float(losses.accuracy))
    assert np.mean(accuracy[-20:]) > np.mean(accuracy[:10]) + 0.1


def test_negatives_come_from_the_samples_seeds() -> None:
    drawn = draw_negatives(50, ACTIONS, torch.tensor([5, 6]))
    assert drawn.shape == (2, 50, ACTIONS) and drawn.min() < -0.9 and drawn.max() > 0.9
    assert torch.equal(drawn[1:], draw_negatives(50, ACTIONS, torch.tensor([6])))


@pytest.mark.parametrize(("ends", "left", "expected"), [("all", 3, 3), ("published", 3, 2), ("all", 40, 14)])
def test_offsets_reach_as_far_as_they_may(ends: str, left: int, expected: int) -> None:
    objective = MusikObjectiveConfig.model_validate({"offsets_at_the_end": ends})
    rng = np.random.default_rng(0)
    drawn = {draw_offset(left, objective, rng) for _ in range(300)}
    assert drawn == set(range(1, expected + 1))
    assert draw_offset(1, objective, rng) == 1


def test_published_files_are_read_and_written(tmp_path: Path) -> None:
    model, path = make_model(), tmp_path / "musik.pt"
    state, head = to_original(model.state_dict())
    torch.save({**state, "decoder.trunk.0.weight": torch.zeros(1)}, path)
    other = MusikTokenizer(musik_config())
    load_into(other, load_original(path), path.name, head)
    assert all(torch.equal(other.state_dict()[k], v) for k, v in model.state_dict().items())
    without_head = MusikTokenizer(musik_config())
    load_into(without_head, load_original(path), path.name)  # enough for encoding
    assert torch.equal(without_head.codebook, model.codebook)
