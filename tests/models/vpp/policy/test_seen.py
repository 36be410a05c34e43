from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.models.vpp.policy.trained import FEATURES, demonstrations, stored_features_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.vpp.policy.feature_plan import FeatureSources
from vidrep_pipelines.models.vpp.policy.features_config import FeatureStoreConfig
from vidrep_pipelines.models.vpp.policy.seen import SeenFeatures, seen_through_video_model


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> FeatureSources:
    return demonstrations(tmp_path_factory.mktemp("seen"), cameras=(0,))


def with_fields(**fields: object) -> FeatureStoreConfig:
    return FeatureStoreConfig.model_validate({**FEATURES.model_dump(), **fields})


def test_stored_features_know_what_made_them(sources: FeatureSources, tmp_path: Path) -> None:
    features = stored_features_of(sources, tmp_path)
    seen = seen_through_video_model(sources, features, FEATURES)
    assert seen.stored == tmp_path.absolute() and seen.latents is None and seen.shape == (4, 96, 2, 2)
    assert seen.video_model is not None and seen.video_model.checkpoint == sources.checkpoint.digest
    assert seen.video_model.read.model_dump() == FEATURES.model_dump(
        include={"read", "reduction", "noise", "weights"}
    )
    read_otherwise = with_fields(read={"frames_per_second": 3})
    with pytest.raises(InputError, match=r"another way of reading it.*latent_extraction_vpp_features"):
        seen_through_video_model(sources, features, read_otherwise)


def test_features_that_are_computed_have_the_same_digest_and_shape(
    sources: FeatureSources, tmp_path: Path
) -> None:
    stored = seen_through_video_model(sources, stored_features_of(sources, tmp_path / "a"), FEATURES)
    config = with_fields(store=False)
    nothing = stored_features_of(sources, tmp_path / "nothing", config)
    computed = seen_through_video_model(sources, nothing, config)
    assert (computed.digest, computed.shape) == (stored.digest, stored.shape)
    assert computed.stored is None and computed.checkpoint == sources.checkpoint.directory.absolute()
    fresh = seen_through_video_model(sources, nothing, with_fields(store=False, noise={"kind": "fresh"}))
    assert fresh.digest != computed.digest and fresh.content != computed.content


def test_features_from_nowhere() -> None:
    with pytest.raises(ValidationError, match="need latents"):
        SeenFeatures(digest="a", shape=(1, 2, 3, 4), content="b")
