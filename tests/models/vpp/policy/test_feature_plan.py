"""How much will be stored is said before, and refused if it is too much or cannot be."""

import logging
from pathlib import Path
from typing import Any

import pytest

from tests.models.vpp.policy.demonstrations import Demonstration, demonstration_store
from tests.models.vpp.policy.sources import feature_sources
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.models.vpp.policy.feature_plan import (
    FeaturePlan,
    FeatureSources,
    FeaturesRequest,
    feature_requests,
)
from vidrep_pipelines.models.vpp.policy.features_config import FeatureStoreConfig
from vidrep_pipelines.models.vpp.policy.items_config import ItemRule, PolicyItemsConfig

ITEMS = PolicyItemsConfig(rule=ItemRule(chunk=3, every=2))


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> FeatureSources:
    folder = tmp_path_factory.mktemp("features")
    episodes = [Demonstration(number, 8, cameras=(0, 1)) for number in range(4)]
    store = demonstration_store(folder / "demonstrations", episodes, validation=1)
    return feature_sources(folder / "video", store)


def planned(
    sources: FeatureSources, items: PolicyItemsConfig = ITEMS, **fields: Any
) -> tuple[list[FeaturesRequest], FeaturePlan]:
    config = FeatureStoreConfig.model_validate({"reduction": {"grid": 2}, **fields})
    return feature_requests(sources, items, config, "cpu")


def test_sizes_are_said_before_the_start(sources: FeatureSources, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        requests, plan = planned(sources, noise={"kind": "draws", "draws": 3})
    assert plan.items == {"train": 12, "validation": 4} and plan.pictures == {"train": 24, "validation": 8}
    assert plan.spec.shape == (4, 96, 2, 2) and plan.picture_bytes == 4 * 96 * 4 * 2
    assert plan.total_bytes == 32 * 3 * plan.picture_bytes
    assert (
        "16 items see 32 pictures; 3 draw(s) of (4, 96, 2, 2) float16 for each, 3.0 KiB apiece" in caplog.text
    )
    assert sum(len(request.rows) for request in requests) == 32
    assert sum(request.arrays.entries for request in requests) == 96


def test_too_much_is_refused_with_the_figure(sources: FeatureSources) -> None:
    limit = 32 * 4 * 96 * 4 * 2 / 2**30
    planned(sources, limit_gibibytes=limit)
    with pytest.raises(
        ConfigurationError, match=r"32 pictures.* GiB, more than limit_gibibytes.*Remedy: a coarser"
    ):
        planned(sources, limit_gibibytes=limit * 0.999)


def test_fresh_noise_cannot_be_stored(sources: FeatureSources) -> None:
    with pytest.raises(ConfigurationError, match="Fresh noise"):
        planned(sources, noise={"kind": "fresh"})


def test_rows_are_those_of_the_items(sources: FeatureSources) -> None:
    requests, _ = planned(sources, splits=("validation",))
    table = sources.store.table.set_index("id")
    held_out = table[table["split"] == "validation"]
    shard = held_out["shard"].iloc[0]
    [request] = [one for one in requests if one.rows]
    assert f"{request.id}.h5" == shard
    expected = sorted(start + frame for start in held_out["start"] for frame in (0, 2, 4, 6))
    assert list(request.rows) == expected and set(request.told) == {0} and len(request.texts) == 1


def digests(requests: tuple[list[FeaturesRequest], FeaturePlan]) -> dict[str, str]:
    return {request.id: request.digest for request in requests[0]}


def test_what_changes_the_digest(sources: FeatureSources) -> None:
    one = digests(planned(sources))
    assert digests(planned(sources, batch_size=3, limit_gibibytes=1.0)) == one
    changed: list[dict[str, Any]] = [
        {"noise": {"seed": 1}},
        {"noise": {"kind": "draws"}},
        {"read": {"step": 2}},
        {"reduction": {"grid": 1}},
        {"dtype": "float32"},
    ]
    for fields in changed:
        assert all(one[name] != digest for name, digest in digests(planned(sources, **fields)).items()), (
            fields
        )
    more = digests(planned(sources, ITEMS.model_copy(update={"rule": ItemRule(chunk=3)})))
    assert all(one[name] != digest for name, digest in more.items())


def test_only_shards_whose_pictures_changed_are_redone(sources: FeatureSources) -> None:
    one, fewer = digests(planned(sources)), digests(planned(sources, splits=("train",)))
    assert {name.split("/")[0] for name in one if one[name] != fewer[name]} == {"validation"}


def test_nothing_that_is_seen(sources: FeatureSources) -> None:
    with pytest.raises(ConfigurationError, match="is seen by an item"):
        planned(sources, splits=("test",))
    with pytest.raises(ConfigurationError, match=r"data_sets names 'bridge'"):
        planned(sources, ITEMS.model_copy(update={"data_sets": ("bridge",)}))


def test_sources_that_do_not_belong_together(sources: FeatureSources, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = feature_sources(tmp_path / "other", sources.store)
    trained = {**sources.checkpoint.config, "codec": "another"}
    wrong = sources._replace(checkpoint=type(sources.checkpoint)(other.checkpoint.directory, trained, {}))
    with pytest.raises(InputError, match="trained with another codec"):
        planned(wrong)
    empty = sources._replace(checkpoint=type(sources.checkpoint)(other.checkpoint.directory, {}, {}))
    with pytest.raises(InputError, match="no checkpoint of a video model"):
        planned(empty)
