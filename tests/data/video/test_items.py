import pickle
from dataclasses import fields
from pathlib import Path

import pytest

from tests.helpers.videos import read_barcodes, remove_moov, write_video
from vidrep_pipelines.data.clips.index import INDEX_COLUMNS, RESIZED_COLUMNS
from vidrep_pipelines.data.video.decode import FrameReader
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.items import CLIP_SUFFIX, INDEX_SUFFIX, probe_item, resize_item
from vidrep_pipelines.data.video.packet_index_file import load_packet_index
from vidrep_pipelines.data.video.probe import VideoFacts
from vidrep_pipelines.data.video.profiles import ResizeConfig

CONFIG = ResizeConfig(short_side=32)


def products(folder: Path) -> dict[str, Path]:
    """Where the fan-out would have the item's products written: names that tell nothing."""
    return {CLIP_SUFFIX: folder / "clip.mp4", INDEX_SUFFIX: folder / "index.packets"}


def test_probing_gives_one_column_per_fact_and_no_product(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a:b.mp4", 12, audio=True)
    facts = probe_item(str(source), {})
    assert facts.keys() == {field.name for field in fields(VideoFacts)}
    assert (facts["width"], facts["height"], facts["frames"], facts["has_audio"]) == (96, 64, 12, True)
    assert facts.keys() <= INDEX_COLUMNS.keys()
    assert list(tmp_path.iterdir()) == [source]


def test_resizing_writes_clip_and_index_where_it_is_told_to(tmp_path: Path) -> None:
    source = write_video(tmp_path / "source.mp4", 20)
    outputs = products(tmp_path)
    facts = resize_item((str(source), CONFIG), outputs)
    assert (facts["source_width"], facts["width"], facts["height"], facts["frames"]) == (96, 48, 32, 20)
    assert facts.keys() <= RESIZED_COLUMNS.keys()
    assert all(isinstance(value, str | int | float | bool) for value in facts.values())
    index = load_packet_index(outputs[INDEX_SUFFIX])
    assert index.frames == 20 and index.stamp.matches(outputs[CLIP_SUFFIX])
    assert read_barcodes(FrameReader("index").read(outputs[CLIP_SUFFIX], [17, 3], index)) == [17, 3]


def test_failures_name_the_file_and_leave_no_product(tmp_path: Path) -> None:
    broken = remove_moov(write_video(tmp_path / "broken.mp4", 12))
    outputs = products(tmp_path)
    with pytest.raises(UnreadableVideoError, match=r"broken\.mp4: "):
        probe_item(str(broken), {})
    with pytest.raises(UnreadableVideoError, match=r"broken\.mp4: "):
        resize_item((str(broken), CONFIG), outputs)
    assert list(tmp_path.iterdir()) == [broken]


def test_items_travel_to_worker_processes() -> None:
    for function in (probe_item, resize_item):
        assert pickle.loads(pickle.dumps(function)) is function
    assert pickle.loads(pickle.dumps(("path", CONFIG))) == ("path", CONFIG)
