"""What computes features: shapes that are known before, digests, and what they look at."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.adapters.policy_features import (
    ABLATION,
    READ,
    earlier_model,
    pixel_encoders,
    sources_of,
    with_updates,
)
from tests.models.vpp.policy.trained import demonstrations
from tests.models.vpp.video.spoken import TEXTS
from vidrep_pipelines.adapters.policy_features import (
    EncoderFeatures,
    EncoderFeatureSource,
    VideoModelSource,
    ablation_sources,
    feature_sources_of,
    with_places,
)
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.models.vpp.policy.feature_plan import FeatureSources
from vidrep_pipelines.models.vpp.policy.features_config import PolicyFeaturesConfig

Sources = dict[str, VideoModelSource | EncoderFeatureSource]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> FeatureSources:
    return demonstrations(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def sources(video: FeatureSources) -> Sources:
    return sources_of(video)


def pictures(seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (2, 1, 16, 16, 3), generator=generator, dtype=torch.uint8)


def computed(source: Any, texts: tuple[str, str] = TEXTS, seed: int = 0) -> torch.Tensor:
    features: torch.Tensor = source.make("cpu")(pictures(), texts, (seed, seed + 1))
    return features


@pytest.mark.parametrize("name", ["video", "draws", "first_frame", "untrained", "pixels"])
def test_shapes_are_known_before_and_digests_come_along(sources: Sources, name: str) -> None:
    source = sources[name]
    assert computed(source).shape == (2, 1, *source.shape)
    assert source.make("cpu").digest == source.digest


def test_sources_survive_as_plain_data(sources: Sources) -> None:
    plain = {name: source.model_dump(mode="json") for name, source in sources.items()}
    assert feature_sources_of(plain) == sources
    assert len({source.digest for source in sources.values()}) == len(sources)


def test_first_frame_is_a_part_of_what_is_seen(sources: Sources) -> None:
    torch.testing.assert_close(computed(sources["first_frame"]), computed(sources["video"])[:, :, :1])


def test_untrained_weights_are_others_and_always_the_same(sources: Sources) -> None:
    untrained = computed(sources["untrained"])
    assert not torch.allclose(untrained, computed(sources["video"]), rtol=1e-2)
    torch.manual_seed(99)
    torch.testing.assert_close(computed(sources["untrained"]), untrained)


def test_noise_follows_the_seeds_only_where_it_is_drawn(sources: Sources) -> None:
    torch.testing.assert_close(computed(sources["video"], seed=7), computed(sources["video"]))
    assert not torch.allclose(computed(sources["draws"], seed=7), computed(sources["draws"]), rtol=1e-2)


def test_an_encoder_hears_nothing(sources: Sources) -> None:
    other = (TEXTS[1], TEXTS[0])
    torch.testing.assert_close(computed(sources["pixels"], other, 5), computed(sources["pixels"]))


def test_places() -> None:
    placed = with_places(torch.zeros(2, 4, 2, 3))
    assert placed.shape == (2, 6, 2, 3) and bool((placed[:, :4] == 0).all())
    assert placed[0, 4].tolist() == [[-1, 0, 1], [-1, 0, 1]]
    assert placed[1, 5].tolist() == [[-1, -1, -1], [1, 1, 1]]
    assert with_places(torch.ones(1, 1, 1, 1))[0, :, 0, 0].tolist() == [1, 0, 0]


def test_pictures_are_resized_to_the_strides_of_the_encoder(video: FeatureSources) -> None:
    [source] = ablation_sources(
        ABLATION.model_copy(update={"use": ("pixels",)}), video, pixel_encoders(6), READ
    ).values()
    assert source.shape == (1, 12 + 2, 3, 3)  # 16 pixels become 18


def test_features_of_an_encoder_are_averaged(sources: Sources) -> None:
    source = sources["pixels"]
    assert isinstance(source, EncoderFeatureSource)
    fine = source.make("cpu")
    assert isinstance(fine, EncoderFeatures)
    coarse = EncoderFeatures(fine.encoder, "cpu", 1, "digest")(pictures(), TEXTS, (0, 1))
    expected = computed(source)[:, :, :, :-2].mean((-1, -2))
    torch.testing.assert_close(coarse[:, :, :, :-2, 0, 0], expected)


def test_features_of_a_model_before_the_end_of_its_training(
    video: FeatureSources, sources: Sources, tmp_path: Path
) -> None:
    early = earlier_model(video.checkpoint, tmp_path / "early", 2)
    found = ablation_sources(with_updates(2, 3), video, pixel_encoders(), READ, {2: early})
    assert found["updates_3"] == sources["video"]  # the last of its updates
    stages = {name: one.updates for name, one in found.items() if isinstance(one, VideoModelSource)}
    assert stages == {**dict.fromkeys(stages, 3), "untrained": 0, "updates_2": 2}
    assert found["updates_2"].digest != sources["video"].digest
    assert found["updates_2"].shape == sources["video"].shape
    assert not torch.allclose(computed(found["updates_2"]), computed(sources["video"]), rtol=1e-2)


def test_a_model_that_does_not_say_its_updates_is_refused(video: FeatureSources) -> None:
    unknown = video._replace(checkpoint=replace(video.checkpoint, meta={}))
    with pytest.raises(InputError, match="does not say after how many updates"):
        ablation_sources(ABLATION, unknown, pixel_encoders(), READ)


def test_what_there_is_not_is_refused(video: FeatureSources) -> None:
    with pytest.raises(ConfigurationError, match=r"names the encoder 'pixels'; there are none"):
        ablation_sources(ABLATION, video, [], READ)
    fresh = PolicyFeaturesConfig.model_validate({"reduction": {"grid": 2}, "noise": {"kind": "fresh"}})
    with pytest.raises(ConfigurationError, match="fresh noise is drawn anew"):
        ablation_sources(ABLATION, video, pixel_encoders(), fresh)
