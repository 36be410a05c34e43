import pytest

from tests.models.vqvae.tiny import make_config
from vidrep_pipelines.models.vqvae.config import (
    VqvaeDataConfig,
    VqvaeModelConfig,
    VqvaeObjectiveConfig,
    VqvaePreset,
    VqvaePresetName,
)
from vidrep_pipelines.models.vqvae.presets import VqvaeParameters, with_preset
from vidrep_pipelines.training.config import TrainConfig

TRAIN = TrainConfig(steps=1, batch_size=720)
NAMES: tuple[VqvaePresetName, ...] = ("baseline_2d", "baseline", "3d_decoder__2d_loss")


@pytest.mark.parametrize("name", NAMES)
def test_defaults_become_exactly_the_published_configuration(name: VqvaePresetName) -> None:
    defaults = VqvaeParameters(VqvaeModelConfig(), VqvaeObjectiveConfig(), VqvaeDataConfig(), TRAIN)
    found, published = with_preset(name, defaults), VqvaePreset.named(name)
    assert (found.model, found.objective, found.data) == (
        published.model,
        published.objective,
        published.data,
    )


@pytest.mark.parametrize(("name", "samples"), [("baseline", 720), ("3d_decoder__2d_loss", 60)])
def test_batches_count_frames(name: VqvaePresetName, samples: int) -> None:
    parameters = VqvaeParameters(VqvaeModelConfig(), VqvaeObjectiveConfig(), VqvaeDataConfig(), TRAIN)
    assert with_preset(name, parameters).train.batch_size == samples


def test_sizes_and_other_choices_stay() -> None:
    objective = VqvaeObjectiveConfig(perceptual_network="random", codebook_loss_weighting="corrected")
    data = VqvaeDataConfig(mean=(0.5, 0.5, 0.5))
    small = VqvaeParameters(
        make_config({"update": "ema"}), objective, data, TrainConfig(steps=1, batch_size=4)
    )
    found = with_preset("3d_decoder__2d_loss", small)
    assert found.model == make_config({"update": "ema"}, decoder="3d")
    assert (found.objective.perceptual_network, found.objective.codebook_loss_weighting) == (
        "random",
        "corrected",
    )
    assert found.objective.perceptual_weight == 1
    assert (found.data.mean, found.data.clip_frames, found.data.first_frames) == ((0.5, 0.5, 0.5), 12, 12)
    assert found.train.batch_size == 1
