"""Penn Action, Pouring and FineGym as people have them through their ingests."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.cases.inputs import STOPPED, make
from tests.cases.labels import check_hidden, check_order
from tests.helpers.carl import TINY_CARL
from tests.helpers.project import load, merged, run_pipeline
from tests.helpers.videos import read_barcodes

_FRAMES = {"frames": {"height": 48, "width": 64, "min_frames": 2}}


def ingest(release: str, root: Path, work: Path, **options: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The videos that ``ingest_<release>`` found, and those that it left out, by id."""
    parameters = merged(TINY_CARL, {release: {"root": str(root), **_FRAMES, **options}})
    run_pipeline(f"ingest_{release}", work, parameters)
    left_out = pd.read_parquet(work / f"08_reporting/{release}_left_out.parquet")
    return load(f"{release}.labelled_videos", work).table.set_index("id"), left_out.set_index("id")


def unpadded(root: Path, work: Path) -> None:
    """Frames without zeros in front of their numbers keep their labels."""
    make("unpadded", root)
    videos, left_out = ingest("penn_action", root / "penn", work / "penn")
    assert len(videos) == 3
    assert left_out.empty
    labelled, store = (
        load("penn_action_labelled_videos", work / "penn"),
        load("penn_action_video_frames", work / "penn"),
    )
    for name in videos.index:
        frames = np.asarray(store.frames(name))
        assert read_barcodes(frames) == list(range(20))
        assert labelled.of(name).tolist() == [rank * 4 // 20 for rank in range(20)]
    check_order(root, work)


def hidden_files(root: Path, work: Path) -> None:
    """Files that macOS leaves beside every file are no videos, lists, frames or records."""
    make("hidden_files", root)
    for release, folder, count in (
        ("penn_action", "penn", 3),
        ("pouring", "pouring", 4),
        ("finegym", "finegym", 3),
    ):
        videos, left_out = ingest(release, root / folder, work / folder)
        assert len(videos) == count, release
        assert left_out.empty, release
    check_hidden(root, work)


def finegym_v11(root: Path, work: Path) -> None:
    """Version 1.1 under its own names, and videos with two suffixes."""
    make("finegym_v11", root)
    for kind in ("v11", "names"):
        videos, left_out = ingest("finegym", root / kind, work / kind)
        assert len(videos) == 3, kind
        assert left_out.empty, kind


def tfrecords(root: Path, work: Path) -> None:
    """Records without labels train what needs none; what lies in place of a file is called that."""
    make("tfrecords", root)
    videos, left_out = ingest("pouring", root / "whole", work / "whole")
    assert (len(videos), len(left_out)) == (4, 0)
    for kind, reason in (("pointer", "Git-LFS pointer"), ("html", "web page"), ("cut", "")):
        videos, left_out = ingest("pouring", root / kind, work / kind)
        assert len(videos) == 3, kind
        assert left_out["reason"].str.contains(reason).all(), kind
        assert len(left_out) == 1, kind
    parameters = merged(
        TINY_CARL,
        {"pouring": {"root": str(root / "no_labels"), **_FRAMES, "frames": {"height": 32, "width": 32}}},
    )
    run_pipeline("pretrain_carl", work / "no_labels", parameters)
    assert load("carl_checkpoint", work / "no_labels") is not None
    with pytest.raises(STOPPED, match="label"):
        run_pipeline("eval_phases", work / "no_labels", parameters)
