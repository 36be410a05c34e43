"""Features beside a store: what is stored of which frame, and what is redone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.helpers.stores import SERIAL
from tests.models.vpp.policy.demonstrations import Demonstration, demonstration_store
from tests.models.vpp.policy.sources import feature_sources
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.runner import Parts, run_job
from vidrep_pipelines.models.vpp.policy.actions import ActionCoding
from vidrep_pipelines.models.vpp.policy.dataset import PolicyItems
from vidrep_pipelines.models.vpp.policy.feature_plan import FeatureSources, feature_requests
from vidrep_pipelines.models.vpp.policy.feature_store import (
    StoredFeatures,
    extract_features,
    features_report,
)
from vidrep_pipelines.models.vpp.policy.features import FeatureReader
from vidrep_pipelines.models.vpp.policy.features_config import FeatureStoreConfig
from vidrep_pipelines.models.vpp.policy.items import PolicyItemTable
from vidrep_pipelines.models.vpp.policy.items_config import ItemRule, PolicyItemsConfig
from vidrep_pipelines.models.vpp.video.codec import load_codec, to_pictures

ITEMS = PolicyItemsConfig(rule=ItemRule(chunk=3, every=3))


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> FeatureSources:
    folder = tmp_path_factory.mktemp("features")
    episodes = [Demonstration(number, 6, cameras=(0, 1)) for number in range(3)]
    episodes.append(Demonstration(9, 6, "unused"))
    store = demonstration_store(folder / "demonstrations", episodes, validation=1)
    return feature_sources(folder / "video", store)


def settings(**fields: Any) -> FeatureStoreConfig:
    base = {"reduction": {"grid": 2}, "dtype": "float32", "batch_size": 3}
    return FeatureStoreConfig.model_validate({**base, **fields})


def run(sources: FeatureSources, folder: Path, config: FeatureStoreConfig) -> Parts:
    requests, _ = feature_requests(sources, ITEMS, config, "cpu")
    items = [Item(request.id, request, request.digest) for request in requests]
    parts = run_job(Job("features", extract_features, items, (".h5",), SERIAL), folder)
    assert set(parts.table["status"]) == {"ok"}, parts.table["error"].tolist()
    return parts


def stored(sources: FeatureSources, folder: Path, **fields: Any) -> StoredFeatures:
    run(sources, folder, settings(**fields))
    return StoredFeatures(FrameArrayStore(folder, sources.store))


def test_what_is_stored_is_what_is_computed_on_the_fly(sources: FeatureSources, tmp_path: Path) -> None:
    features, store = stored(sources, tmp_path), sources.store
    assert sources.latents is not None and features.shape == (4, 96, 2, 2)
    reader = FeatureReader.load(sources.checkpoint.directory, settings())
    for view in [store.index.position(name) for name in ("tabletop/001_1", "tabletop/002_0")]:
        latents = torch.from_numpy(sources.latents.array_at("latents", view)).float()
        text = store.episode_at(view).segments[0].text
        for frame in (0, 3):
            expected = reader.observe(latents[frame][None, None], [text], [0])[0, 0]
            torch.testing.assert_close(features.at(view, frame), expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(features.at(view, 0), features.at(view, 3))


def test_draws_of_the_noise(sources: FeatureSources, tmp_path: Path) -> None:
    noise = {"kind": "draws", "draws": 2}
    features = stored(sources, tmp_path / "a", noise=noise)
    again = stored(sources, tmp_path / "b", noise=noise, batch_size=7)
    assert features.draws(0, 0) == 2 and features.draws(0, 1) == 0
    assert not torch.allclose(features.at(0, 0, 0), features.at(0, 0, 1))
    assert torch.equal(features.at(0, 0, 0), features.at(0, 0, 2)), "counted on from the first one"
    for draw in range(2):
        torch.testing.assert_close(features.at(3, 3, draw), again.at(3, 3, draw), atol=1e-4, rtol=1e-4)
    report = features_report(features.arrays)
    assert 0 < report["splits"]["train"]["noise_share"] < 1
    assert report["splits"]["train"]["entries"] == 2 * report["splits"]["train"]["pictures"] == 16


def test_frames_are_encoded_where_that_is_asked_for(sources: FeatureSources, tmp_path: Path) -> None:
    """The linear codec's latents are stored in half precision; the codec's own are what is compared."""
    features = stored(sources, tmp_path, from_frames=True)
    reader, codec = (
        FeatureReader.load(sources.checkpoint.directory, settings()),
        load_codec(sources.codec.directory),
    )
    view = sources.store.index.position("tabletop/001_1")
    latents = codec.encode(to_pictures(torch.from_numpy(sources.store.frames_at(view))))
    text = sources.store.episode_at(view).segments[0].text
    expected = reader.observe(latents[3][None, None], [text], [0])[0, 0]
    torch.testing.assert_close(features.at(view, 3), expected, atol=1e-4, rtol=1e-4)


def test_items_hold_features_of_all_cameras(sources: FeatureSources, tmp_path: Path) -> None:
    features = stored(sources, tmp_path, noise={"kind": "draws", "draws": 2}, dtype="float16")
    items = PolicyItems(PolicyItemTable(sources.store, ITEMS), features, ActionCoding(), seed=1)
    seen = [items[epoch, 2]["features"] for epoch in range(12)]
    assert seen[0].shape == (2, 4, 96, 2, 2) and seen[0].dtype == torch.float16
    place = items.items.place(2)
    draws = [torch.stack([features.at(view, place.frame, draw) for view in place.views]) for draw in (0, 1)]
    taken = [[torch.equal(one, draw) for draw in draws].index(True) for one in seen]
    assert set(taken) == {0, 1}, "both draws are taken in some epoch, for all cameras the same"


def test_frames_that_no_item_sees_have_none(sources: FeatureSources, tmp_path: Path) -> None:
    features = stored(sources, tmp_path)
    with pytest.raises(InputError, match=r"no features of frame 1 of 'tabletop/000_0'.*policy_items"):
        features.at(0, 1)
    with pytest.raises(InputError, match="no frame 99"):
        features.at(0, 99)
    unused = sources.store.index.position("unused/009_0")
    assert [features.draws(unused, frame) for frame in range(6)] == [0] * 6


def test_how_much_is_stored(sources: FeatureSources, tmp_path: Path) -> None:
    table = run(sources, tmp_path, settings()).table
    assert table["pictures"].sum() == table["entries"].sum() == 12
    report = features_report(FrameArrayStore(tmp_path, sources.store), sampled=2)
    assert report["shape"] == [4, 96, 2, 2] and report["dtype"] == "float32"
    assert {name: facts["pictures"] for name, facts in report["splits"].items()} == {
        "train": 8,
        "validation": 4,
    }
    assert report["splits"]["validation"]["bytes"] == 4 * 4 * 96 * 4 * 4
    assert np.isfinite([facts["mean"] + facts["deviation"] for facts in report["splits"].values()]).all()


def test_a_second_run_does_nothing(sources: FeatureSources, tmp_path: Path) -> None:
    run(sources, tmp_path, settings())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.h5")}
    assert len(before) == len(sources.store.facts.shards)
    run(sources, tmp_path, settings(batch_size=1))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.h5")} == before


def test_latents_that_were_made_anew(sources: FeatureSources, tmp_path: Path) -> None:
    requests, _ = feature_requests(sources, ITEMS, settings(), "cpu")
    request = next(request for request in requests if request.rows)
    with pytest.raises(InputError, match="made anew"):
        extract_features(replace(request, latents_digest="before"), {".h5": tmp_path / "out.h5"})


def test_other_arrays_are_no_features(sources: FeatureSources) -> None:
    assert sources.latents is not None
    with pytest.raises(InputError, match=r"holds no features.*latent_extraction_vpp_features"):
        StoredFeatures(sources.latents)
