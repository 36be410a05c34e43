"""The loss of tokenizers and of joint training on held-out frames, which must disturb nothing."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.models.voc.tokenizers.test_tasks import KINDS, make_task
from tests.models.voc.tokenizers.tiny import make_store
from vidrep_pipelines.models.voc.config import OccupancyName
from vidrep_pipelines.models.voc.validation import HeldOutLoss


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("held_out")).folder


def probe_of(kind: str, folder: Path, **changes: Any) -> HeldOutLoss:
    name: OccupancyName = "dino" if kind == "dino" else "musik" if kind == "musik" else "vae"
    task = make_task(kind, folder).model_dump(mode="json")
    return HeldOutLoss(kind=name, task=task, **{"items": 6, "batch_size": 3, **changes})


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_always_that_of_the_same_samples_and_changes_nothing(kind: str, folder: Path) -> None:
    probe = probe_of(kind, folder)
    torch.manual_seed(0)
    model = make_task(kind, folder).build_model().eval()
    before = deepcopy(model.state_dict())
    counted = len(getattr(getattr(model, "codebook_average", None), "_counted", ()))
    first = probe.measure(model)
    assert first == probe.measure(model) and "loss" in first
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert len(getattr(getattr(model, "codebook_average", None), "_counted", ())) == counted


def test_the_loss_is_a_mean_over_samples(folder: Path) -> None:
    torch.manual_seed(0)
    model = make_task("vae", folder).build_model().eval()
    parts, whole = (probe_of("vae", folder, batch_size=size).measure(model) for size in (2, 6))
    assert parts["loss"] == pytest.approx(whole["loss"], rel=1e-4)
    assert probe_of("vae", folder, items=2).measure(model)["loss"] != whole["loss"]
