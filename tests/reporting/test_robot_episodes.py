import numpy as np
import pytest

from tests.helpers.stores import assembly_job, prepare
from vidrep_pipelines.data.frame_store.config import FramesConfig, FrameStoreConfig
from vidrep_pipelines.data.frame_store.manifest import write_store_manifest
from vidrep_pipelines.data.frame_store.plan import plan_shards
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.sample_world.tabletop import TabletopConfig
from vidrep_pipelines.data.sample_world.tabletop_source import TabletopSource
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.reporting.robot_episodes import clip_report, clip_sheet, clip_table, named_mask

TABLE = TabletopConfig(width=32, height=32, frames=20, objects_max=2)
FRAMES = FramesConfig(height=32, width=32)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    folder = tmp_path_factory.mktemp("clips")
    sources = [
        TabletopSource(TABLE, 0, "train", 0),
        TabletopSource(TABLE, 0, "train", 1),
        TabletopSource(TABLE, 0, "test", 0),
    ]
    parts = prepare(folder / "episodes", sources, FRAMES)
    requests = plan_shards(parts.table, parts.folder, FRAMES, FrameStoreConfig())
    shards = run_job(assembly_job(requests), folder / "store")
    write_store_manifest(folder / "store", shards.ids)
    return FrameStore(folder / "store")


def test_counts_are_by_episode_and_by_view(store: FrameStore) -> None:
    report = clip_report(store, {"tabletop/train/00009": "why"}, {})
    assert report["episodes"] == 3 and report["frames"] == 3 * 2 * 20
    assert report["left_out"] == {"tabletop/train/00009": "why"}
    test, train = report["data_sets"]
    assert (test["data_set"], test["split"], test["episodes"], test["views"]) == ("tabletop", "test", 1, 2)
    assert (train["episodes"], train["views"], train["frames"]) == (2, 4, 80)
    assert (train["shortest"], train["longest"], train["without_instruction"]) == (20, 20, 0)
    said = {name: store.episode(name) for name in store.ids if "train" in name}
    assert train["instructions"] == len({one.segments[0].text for one in said.values()})
    assert train["success_rate"] == np.mean([bool(one.success) for one in said.values()])


def test_the_table_has_a_row_for_each_view(store: FrameStore) -> None:
    table = clip_table(store)
    assert table["id"].tolist() == list(store.ids) and set(table["data_set"]) == {"tabletop"}
    assert table["instruction"].notna().all() and table["success"].notna().all()


def test_the_sheet_outlines_the_named_object(store: FrameStore, monkeypatch: pytest.MonkeyPatch) -> None:
    from vidrep_pipelines.reporting import robot_episodes

    outlined = clip_sheet(store)
    monkeypatch.setattr(robot_episodes, "named_mask", lambda *_: None)
    plain = clip_sheet(store)
    white = [(np.asarray(sheet) == 255).all(-1).sum() for sheet in (outlined, plain)]
    assert outlined.size == plain.size and white[0] > white[1]


def test_the_object_that_is_named_first_counts() -> None:
    names = ("background", "arm", "blue box", "red cup")
    assert named_mask("put the red cup on the blue box", names) == 3
    assert named_mask("Push the blue box to the left", names) == 2
    assert named_mask("push the blue boxes", names) is None
    assert named_mask("wipe the background", names) is None
    assert named_mask("push", ()) is None
