"""Ingest of labelled videos: what the nodes hand on, from rendering to the table."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from kedro.pipeline import Pipeline

from tests.helpers.label_sequences import TINY_WORLD, write_release
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.label_sequences.config import (
    DavisConfig,
    JhmdbConfig,
    PointsConfig,
    VipConfig,
)
from vidrep_pipelines.data.sample_world.miniature import LabelMiniatureConfig, ReleaseName
from vidrep_pipelines.datasets.label_miniature import LabelMiniature
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.pipelines.ingest import label_sequences_nodes
from vidrep_pipelines.pipelines.ingest.label_sequences_pipeline import (
    create_davis_pipeline,
    create_jhmdb_pipeline,
    create_vip_pipeline,
)

SERIAL = FanOutConfig(engine="serial")
MINIATURE = LabelMiniatureConfig(world=TINY_WORLD)
DAVIS, JHMDB, VIP = DavisConfig(protocol="native"), JhmdbConfig(), VipConfig()
POINTS = PointsConfig()


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    job = label_sequences_nodes.render_label_clips(DAVIS, JHMDB, VIP, POINTS, MINIATURE, SERIAL)
    return run_job(job, tmp_path_factory.mktemp("label_clips"))


def test_rendered_unless_every_release_has_a_root(tmp_path: Path) -> None:
    root = {"root": tmp_path}
    roots = [config.model_copy(update=root) for config in (DAVIS, JHMDB, VIP)]
    assert len(label_sequences_nodes.render_label_clips(*roots, POINTS, MINIATURE, SERIAL).items) == 2
    all_roots = label_sequences_nodes.render_label_clips(
        *roots, POINTS.model_copy(update=root), MINIATURE, SERIAL
    )
    assert all_roots.items == []


def test_from_clips_to_tables(clips: Parts, tmp_path: Path) -> None:
    requests = (
        label_sequences_nodes.request_davis_miniature(clips, DAVIS, MINIATURE),
        label_sequences_nodes.request_jhmdb_miniature(clips, JHMDB, MINIATURE),
        label_sequences_nodes.request_vip_miniature(clips, VIP, MINIATURE),
    )
    for request in requests:
        LabelMiniature(filepath=tmp_path / request.release).save(request)
    jobs = (
        label_sequences_nodes.plan_davis_inspection(tmp_path / "davis", DAVIS, SERIAL),
        label_sequences_nodes.plan_jhmdb_inspection(tmp_path / "jhmdb", JHMDB, SERIAL),
        label_sequences_nodes.plan_vip_inspection(tmp_path / "vip", VIP, SERIAL),
    )
    done = [run_job(job, tmp_path / f"{job.name}_inspection") for job in jobs]
    tables = (
        label_sequences_nodes.index_davis(done[0], tmp_path / "davis", DAVIS),
        label_sequences_nodes.index_jhmdb(done[1], tmp_path / "jhmdb", JHMDB),
        label_sequences_nodes.index_vip(done[2], tmp_path / "vip", VIP),
    )
    for table in tables:
        assert len(table) == 2
        assert table["error"].isna().all()
        assert (table["width"] == 64).all()


def test_bad_sequences_do_not_stop_the_others(tmp_path: Path) -> None:
    root = write_release("davis", tmp_path / "DAVIS")
    (root / "Annotations/480p/push_000/00001.png").unlink()
    config = DavisConfig(root=root, prepared=tmp_path / "prepared")
    parts = run_job(
        label_sequences_nodes.plan_davis_inspection(tmp_path, config, SERIAL), tmp_path / "inspection"
    )
    table = label_sequences_nodes.index_davis(parts, tmp_path, config)
    assert table["id"].tolist() == ["push_000", "stack_000"]
    assert "00001.png is missing" in table["error"][0]
    assert pd.isna(table["error"][1])
    assert (table["width"][1], table["height"][1]) == (880, 480)
    again = label_sequences_nodes.plan_davis_inspection(tmp_path, config, SERIAL)
    assert [item.digest for item in again.items] == table["digest"].tolist()


def test_a_folder_that_cannot_be_read_costs_its_own_sequence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, scandir = write_release("vip", tmp_path / "VIP"), os.scandir

    def refuse(path: Path | int | str) -> "Iterator[os.DirEntry[str]]":
        if path == root / "Images/videos1":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    errors = _indexed("vip", root, tmp_path / "inspection")["error"]
    assert "videos1 cannot be listed: Permission denied" in errors[0]
    assert pd.isna(errors[1])


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("release", ["davis", "jhmdb", "vip"])
def test_a_release_that_was_copied_or_moved_is_read_where_it_is(
    release: ReleaseName, gone: bool, tmp_path: Path
) -> None:
    """Nothing is inspected again, for the files are the same, and nothing is read from the former place."""
    former, present = write_release(release, tmp_path / "former"), tmp_path / "present"
    before = _indexed(release, former, tmp_path / "inspection")
    shutil.copytree(former, present)  # with the times
    if gone:
        shutil.rmtree(former)
    table = _indexed(release, present, tmp_path / "inspection")
    assert table["error"].isna().all()
    assert table["digest"].tolist() == before["digest"].tolist()
    for column in ("frame_folder", "label_path"):
        assert all(Path(path).is_relative_to(present) for path in table[column])


def _indexed(release: ReleaseName, root: Path, inspection: Path) -> pd.DataFrame:
    match release:
        case "davis":
            davis = DavisConfig(root=root, protocol="native")
            parts = run_job(label_sequences_nodes.plan_davis_inspection(root, davis, SERIAL), inspection)
            return label_sequences_nodes.index_davis(parts, root, davis)
        case "jhmdb":
            jhmdb = JhmdbConfig(root=root)
            parts = run_job(label_sequences_nodes.plan_jhmdb_inspection(root, jhmdb, SERIAL), inspection)
            return label_sequences_nodes.index_jhmdb(parts, root, jhmdb)
        case "vip":
            vip = VipConfig(root=root)
            parts = run_job(label_sequences_nodes.plan_vip_inspection(root, vip, SERIAL), inspection)
            return label_sequences_nodes.index_vip(parts, root, vip)


def test_users_release_gives_an_empty_miniature(clips: Parts, tmp_path: Path) -> None:
    request = label_sequences_nodes.request_vip_miniature(clips, VipConfig(root=tmp_path), MINIATURE)
    assert request.clips == ()


def test_missing_release_is_named(tmp_path: Path) -> None:
    config = JhmdbConfig(root=tmp_path / "none")
    with pytest.raises(InputError, match=r"jhmdb\.root: there is no folder"):
        label_sequences_nodes.plan_jhmdb_inspection(tmp_path, config, SERIAL)


def test_pipelines_can_be_added_up() -> None:
    pipelines = [create_davis_pipeline(), create_jhmdb_pipeline(), create_vip_pipeline()]
    together = sum(pipelines, Pipeline([]))
    assert len(together.nodes) == 1 + 3 * 3
    assert together.outputs() == {"davis.sequences", "jhmdb.sequences", "vip.sequences"}
    assert all(name.startswith("params:") for name in together.inputs())
