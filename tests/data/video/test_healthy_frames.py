from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from tests.helpers.videos import truncate, write_video
from vidrep_pipelines.data.video.container import OpenedVideo, open_video
from vidrep_pipelines.data.video.healthy_frames import HealthyFrames


@contextmanager
def without_times(path, *kinds):
    """The video as if the container gave its packets no times."""
    with open_video(path) as opened:

        def packets(stream):
            for packet in opened.container.demux(stream):
                for kind in kinds:
                    setattr(packet, kind, None)
                yield packet

        container = SimpleNamespace(
            demux=packets, format=opened.container.format, duration=opened.container.duration
        )
        yield OpenedVideo(path, container, opened.stream)


@pytest.mark.parametrize("kinds", [("pts",), ("pts", "dts")])
def test_missing_times_are_no_damage(tmp_path, kinds):
    path = write_video(tmp_path / "a.mkv", 60, options={"bf": "0"})
    with without_times(path, *kinds) as opened:
        frames = HealthyFrames(opened)
        assert len(list(frames)) == 60
        assert (frames.verdict, frames.detail) == ("healthy", "")


def test_a_cut_file_without_times_is_still_noticed(tmp_path):
    path = truncate(write_video(tmp_path / "a.mkv", 100, options={"bf": "0", "crf": "5"}), 0.4)
    with without_times(path, "pts", "dts") as opened:
        frames = HealthyFrames(opened)
        assert 20 < len(list(frames)) < 60
        assert frames.verdict == "truncated"


def test_packets_pass_before_they_are_decoded(tmp_path):
    numbers = []

    def number(packet):
        packet.pts = len(numbers)
        numbers.append(packet.size)

    with open_video(write_video(tmp_path / "a.mp4", 12, options={"bf": "3"})) as opened:
        frames = list(HealthyFrames(opened, number))
    assert len(numbers) == 12
    assert sorted(frame.pts for frame in frames) == list(range(12))
    assert [frame.pts for frame in frames] != list(range(12)), "in the order of presentation, not of storage"
