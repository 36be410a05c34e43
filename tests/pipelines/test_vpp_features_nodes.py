"""The nodes of stored features through the catalog's data sets."""

from pathlib import Path

import pytest

from tests.helpers.stores import SERIAL
from tests.models.vpp.policy.demonstrations import Demonstration, demonstration_store
from tests.models.vpp.policy.sources import feature_sources
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.datasets.frame_store import FrameArraysDataset
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.models.vpp.policy.feature_plan import FeatureSources
from vidrep_pipelines.models.vpp.policy.feature_store import StoredFeatures
from vidrep_pipelines.models.vpp.policy.features_config import FeatureStoreConfig
from vidrep_pipelines.models.vpp.policy.items_config import ItemRule, PolicyItemsConfig
from vidrep_pipelines.models.vpp.video.codec_config import VideoLatentsConfig
from vidrep_pipelines.models.vpp.video.latents import latents_digest
from vidrep_pipelines.pipelines.latent_extraction import vpp_features_nodes as nodes
from vidrep_pipelines.pipelines.latent_extraction.vpp_features_pipeline import create_vpp_features_pipeline
from vidrep_pipelines.training.config import LaunchConfig

MADE = VideoLatentsConfig()


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> FeatureSources:
    folder = tmp_path_factory.mktemp("features")
    store = demonstration_store(folder / "demonstrations", [Demonstration(number, 5) for number in range(2)])
    return feature_sources(folder / "video", store)


def job(sources: FeatureSources, config: FeatureStoreConfig) -> Job:
    items = PolicyItemsConfig(rule=ItemRule(chunk=2, every=2))
    launch = LaunchConfig(device="cpu")
    assert sources.latents is not None
    return nodes.extract_vpp_features(
        sources.checkpoint, sources.codec, sources.store, sources.latents, items, config, MADE, launch, SERIAL
    )


def test_frames_and_video_model_to_features(sources: FeatureSources, tmp_path: Path) -> None:
    frames = sources.store.folder.as_posix()
    features = FrameArraysDataset(filepath=(tmp_path / "features").as_posix(), frames=frames)
    config = FeatureStoreConfig.model_validate({"from_frames": True, "reduction": {"grid": 2}})
    features.save(job(sources, config))
    report = nodes.report_vpp_features(features.load(), config)
    assert report["splits"]["train"]["pictures"] == 4
    assert StoredFeatures(features.load()).at(0, 2).shape == (4, 96, 2, 2)


def test_nothing_is_extracted_where_training_computes_features(
    sources: FeatureSources, tmp_path: Path
) -> None:
    config = FeatureStoreConfig(from_frames=True, store=False)
    frames = sources.store.folder.as_posix()
    features = FrameArraysDataset(filepath=(tmp_path / "features").as_posix(), frames=frames)
    features.save(job(sources, config))
    assert nodes.report_vpp_features(features.load(), config) == {"stored": False}


def test_latents_that_were_made_in_another_way(sources: FeatureSources) -> None:
    """The tests' latents say that the codec alone made them."""
    assert sources.latents is not None
    assert sources.latents.model_digest != latents_digest(sources.codec.digest, MADE)
    with pytest.raises(InputError, match=r"another codec, or made in another way.*from_frames"):
        job(sources, FeatureStoreConfig())


def test_what_goes_in_and_comes_out() -> None:
    pipeline = create_vpp_features_pipeline()
    inputs = {name for name in pipeline.inputs() if not name.startswith("params:")}
    assert inputs == {"robot_frames", "video_latents", "video_codec", "vpp_video_checkpoint"}
    assert pipeline.all_outputs() == {"vpp_features", "vpp_features.report"}
