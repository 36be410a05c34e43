"""The parameters of CARL: those of the science are the published ones, those of the laptop fit together."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.session import KedroSession

from tests.helpers.project import ROOT, bootstrap
from vidrep_pipelines.models.carl.presets import CarlPreset
from vidrep_pipelines.models.carl.task import CarlTask

PUBLISHED = {
    "carl": "scl_transformer",
    "carl_penn_action": "scl_transformer_action",
    "carl_finegym": "scl_transformer_finegym",
    "carl_kinetics": "scl_transformer_k400_pretrain",
}


@cache
def parameters_of(environment: str | None) -> dict[str, Any]:
    """All parameters of an environment."""
    bootstrap()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDREP_DATA", "/data/vidrep")
        session: Any = KedroSession.create(ROOT, env=environment)
        parameters: dict[str, Any] = session.load_context().params
    return parameters


@pytest.mark.parametrize("model", PUBLISHED)
def test_base_is_what_was_published(model: str) -> None:
    found, expected = parameters_of("cluster")[model], CarlPreset.named(PUBLISHED[model])
    assert (found["model"], found["objective"]) == (expected.model, expected.objective)
    assert found["train"] == expected.train
    data = found["data"]
    assert data.sampling == expected.data.sampling
    once = expected.data.augmentation.model_copy(update={"blur_times": 1})  # as in the paper
    assert data.augmentation == once and data.evaluation_crop == "short_side_center"
    if "embedding" in found:
        assert found["embedding"].chunk_frames == expected.chunk_frames


@pytest.mark.parametrize("model", PUBLISHED)
def test_laptop_parameters_fit_together(model: str) -> None:
    found = parameters_of(None)[model]
    science = {name: found[name] for name in ("data", "model", "objective")}
    task = CarlTask(frame_store=Path("store"), backbone_origin=found["run"].backbone_origin, **science)
    assert sum(value.numel() for value in task.build_model().parameters()) < 1_000_000
    train = found["train"]
    assert train.epochs is None and train.steps * train.batch_size < 20_000
