from typing import Any, get_args

import pytest

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.carl.presets import CarlPreset, CarlPresetName
from vidrep_pipelines.training.schedule import plan_schedule


def preset(name: str, release: Any = "cvpr2022") -> CarlPreset:
    return CarlPreset.named(name, release, classes=5 if name.startswith("classification") else None)


@pytest.mark.parametrize("release", ["cvpr2022", "v2021"])
@pytest.mark.parametrize("name", get_args(CarlPresetName))
def test_parts_fit_one_another(name: str, release: str) -> None:
    found = preset(name, release)
    assert found.model.frames == found.data.sampling.frames
    assert found.model.context_frames == found.data.sampling.context_frames
    assert (found.model.projection_width is not None) == (found.objective.name == "scl")
    assert found.data.sampling.views == (2 if found.objective.name == "scl" else 1)
    schedule = plan_schedule(found.train, items=1000, samples_per_item=found.data.videos_per_sample)
    assert schedule.learning_rate(0) == pytest.approx(1e-4)


@pytest.mark.parametrize(
    ("name", "frames", "layers", "negatives", "block", "blur", "epochs"),
    [
        ("scl_transformer", 240, 2, "single_noself", "video", 0.5, 500),
        ("scl_transformer_action", 80, 3, "single_noself", "video", 0.5, 300),
        ("scl_transformer_finegym", 240, 3, "single_noself", "view", 0.0, 300),
        ("scl_transformer_k400_pretrain", 80, 2, "batch_noself", "video", 0.5, 10),
    ],
)
def test_the_four_contrastive_transformers(
    name: str, frames: int, layers: int, negatives: str, block: str, blur: float, epochs: int
) -> None:
    found = preset(name)
    assert (found.model.frames, found.model.layers, found.objective.negatives) == (frames, layers, negatives)
    assert (found.data.sampling.block, found.data.augmentation.blur_probability) == (block, blur)
    assert found.train.epochs == epochs and found.objective.temperature == 0.1
    assert found.data.sampling.overlap == (1.0 if "k400" in name else 0.2)


def test_the_first_release_differs() -> None:
    old, new = preset("simclr_transformer", "v2021"), preset("scl_transformer")
    assert (old.objective.temperature, new.objective.temperature) == (1.0, 0.1)
    assert (old.model.layers, new.model.layers) == (3, 2)
    assert (old.backbone_origin, new.backbone_origin) == ("supervised", "byol")
    kinetics = preset("simclr_transformer_k400_pretrain", "v2021")
    assert (kinetics.objective.negatives, kinetics.data.sampling.block) == ("single_noself", "view")
    assert preset("simclr_transformer") == new


def test_baselines() -> None:
    tcc, tcn = preset("tcc_action"), preset("tcn")
    assert tcc.data.videos_per_sample == 4 and tcc.model.encoder == "conv" and not tcc.model.normalize
    assert (tcn.data.sampling.positive_window, tcn.model.normalize) == (5, True)
    assert preset("tcc_finegym").model.normalize and preset("tcc").train.optimizer.schedule == "constant"
    classification = preset("classification_transformer_finegym")
    assert (classification.model.classes, classification.model.layers) == (5, 3)
    assert classification.chunk_frames == 6000 and preset("scl").chunk_frames == 25


def test_unknown_names_and_missing_classes_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"'byol'\. Known: scl_transformer,"):
        CarlPreset.named("byol")
    with pytest.raises(ConfigurationError, match="number of classes"):
        CarlPreset.named("classification_transformer")
