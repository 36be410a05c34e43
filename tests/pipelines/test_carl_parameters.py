"""The parameters of CARL: those of the science are the published ones, those of the laptop fit together."""

from pathlib import Path
from typing import Any

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from vidrep_pipelines.models.carl.presets import CarlPreset
from vidrep_pipelines.models.carl.task import CarlTask

PUBLISHED = {
    "carl": "scl_transformer",
    "carl_penn_action": "scl_transformer_action",
    "carl_finegym": "scl_transformer_finegym",
    "carl_kinetics": "scl_transformer_k400_pretrain",
}


@pytest.fixture
def loads(project_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Gives a parameter of an environment."""
    monkeypatch.setenv("VIDREP_DATA", str(tmp_path / "data"))

    def load(name: str, environment: str | None = None) -> Any:
        bootstrap_project(project_root)
        session: Any = KedroSession.create(project_root, env=environment)
        parameters: dict[str, Any] = session.load_context().params
        return parameters[name]

    return load


@pytest.mark.parametrize("model", PUBLISHED)
def test_base_is_what_was_published(model: str, loads: Any) -> None:
    found, expected = loads(model, "cluster"), CarlPreset.named(PUBLISHED[model])
    assert (found["model"], found["objective"]) == (expected.model, expected.objective)
    assert found["train"] == expected.train
    data = found["data"]
    assert data.sampling == expected.data.sampling
    once = expected.data.augmentation.model_copy(update={"blur_times": 1})  # as in the paper
    assert data.augmentation == once and data.evaluation_crop == "short_side_center"
    if "embedding" in found:
        assert found["embedding"].chunk_frames == expected.chunk_frames


@pytest.mark.parametrize("model", PUBLISHED)
def test_laptop_parameters_fit_together(model: str, loads: Any) -> None:
    found = loads(model)
    science = {name: found[name] for name in ("data", "model", "objective")}
    task = CarlTask(frame_store=Path("store"), backbone_origin=found["run"].backbone_origin, **science)
    assert sum(value.numel() for value in task.build_model().parameters()) < 1_000_000
    train = found["train"]
    assert train.epochs is None and train.steps * train.batch_size < 20_000
