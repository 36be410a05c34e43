"""Stored sets of features: equal to those computed in use, only what is seen, nothing twice."""

from pathlib import Path

import pytest
import torch

from tests.adapters.policy_features import ABLATION, sources_of
from tests.helpers.stores import SERIAL
from tests.models.vpp.policy.trained import ITEMS, demonstrations
from vidrep_pipelines.adapters.policy_feature_sets import (
    feature_sets_job,
    most_episodes,
    seen_features_of_set,
)
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.models.vpp.policy.feature_plan import FeatureSources
from vidrep_pipelines.models.vpp.policy.feature_store import StoredFeatures
from vidrep_pipelines.models.vpp.policy.features_config import FeatureStoreConfig
from vidrep_pipelines.models.vpp.policy.items import PolicyItemTable

STORED = FeatureStoreConfig.model_validate({"dtype": "float32", "batch_size": 3})


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> FeatureSources:
    return demonstrations(tmp_path_factory.mktemp("sets"))


def job(video: FeatureSources, config: FeatureStoreConfig = STORED) -> Job:
    return feature_sets_job(sources_of(video), video.store, ITEMS, ABLATION, config, "cpu", SERIAL)


@pytest.fixture(scope="module")
def parts(video: FeatureSources, tmp_path_factory: pytest.TempPathFactory) -> Parts:
    done = run_job(job(video), tmp_path_factory.mktemp("features"))
    assert set(done.table["status"]) == {"ok"}, done.table["error"].tolist()
    return done


def stored(parts: Parts, video: FeatureSources, name: str) -> StoredFeatures:
    return StoredFeatures(FrameArrayStore(parts.folder / name, video.store))


@pytest.mark.parametrize(("name", "draw"), [("video", 0), ("draws", 2), ("untrained", 0), ("pixels", 0)])
def test_stored_features_are_those_of_use(parts: Parts, video: FeatureSources, name: str, draw: int) -> None:
    source, store = sources_of(video)[name], video.store
    items = ITEMS.model_copy(update={"episodes": 1})
    place = PolicyItemTable(store.select("train"), items).place(1)
    view = store.index.position(store.select("train").ids[place.views[0]])
    shard, start, _ = store.index.frames(view)
    picture = torch.from_numpy(store.frames(store.ids[view], [place.frame]))[None]
    seed = seed_for(source.noise.seed, shard.removesuffix(".h5"), start + place.frame, draw)
    [[computed]] = source.make("cpu")(picture, [place.text], [seed])
    torch.testing.assert_close(stored(parts, video, name).at(view, place.frame, draw), computed)


def test_only_what_policies_see_is_stored(parts: Parts, video: FeatureSources) -> None:
    assert most_episodes(ABLATION, "video", ITEMS) == 2 and most_episodes(ABLATION, "pixels", ITEMS) == 1
    rows = parts.table.set_index("id")
    pictures = {name: rows[rows.index.str.startswith(f"{name}/")] for name in ("video", "pixels", "draws")}
    assert pictures["video"]["pictures"].sum() > pictures["pixels"]["pictures"].sum() > 0
    assert pictures["draws"]["entries"].sum() == 3 * pictures["draws"]["pictures"].sum()


def test_all_episodes_where_one_policy_has_all() -> None:
    policies = {**ABLATION.policies, "all": ABLATION.policies["few"].model_copy(update={"episodes": None})}
    everything = ABLATION.model_copy(update={"policies": policies})
    assert most_episodes(everything, "video", ITEMS) is None
    assert most_episodes(everything, "video", ITEMS.model_copy(update={"episodes": 7})) == 7


def test_what_a_policy_sees_is_described(parts: Parts, video: FeatureSources, tmp_path: Path) -> None:
    sources = sources_of(video)
    seen = {name: seen_features_of_set(name, one, parts, video.store) for name, one in sources.items()}
    assert {name for name, one in seen.items() if one.video_model} == {"video", "draws", "first_frame"}
    assert all(one.digest == sources[name].digest for name, one in seen.items())
    with pytest.raises(InputError, match="those of another model"):
        seen_features_of_set("video", sources["untrained"], parts, video.store)


def test_another_source_or_another_choice_is_made_anew(video: FeatureSources) -> None:
    digests = {item.id: item.digest for item in job(video).items}
    assert len(set(digests.values())) == len(digests)
    half = {item.id: item.digest for item in job(video, STORED.model_copy(update={"dtype": "float16"})).items}
    assert not set(half.values()) & set(digests.values())


def test_too_much_is_refused(video: FeatureSources) -> None:
    with pytest.raises(ConfigurationError, match=r"features\.video: .* more than vpp_features\.limit"):
        job(video, STORED.model_copy(update={"limit_gibibytes": 1e-9}))
