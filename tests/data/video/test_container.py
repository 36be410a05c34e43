"""What counts as a video when it is opened: playlists and the like do not, whatever they are called."""

import socket

import pytest
from PIL import Image

from tests.helpers.videos import write_video
from vidrep_pipelines.data.video.container import open_video
from vidrep_pipelines.data.video.container_formats import FORMATS
from vidrep_pipelines.data.video.decode import read_frames
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.probe import probe

HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nother.ts\n#EXT-X-ENDLIST\n"
LISTS = {
    "a list of files (ffconcat)": "ffconcat version 1.0\nfile other.ts\n",
    "a playlist (HLS, M3U)": HLS,
    "an XML text, as playlists are (DASH)": "<?xml version='1.0'?><MPD><Period/></MPD>",
    "a session description (SDP)": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\n",
}


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("name", ["clip.mp4", "clip.ts"])
def test_lists_of_other_files_are_no_videos(tmp_path, kind, name):
    write_video(tmp_path / "other.ts", 5)
    path = tmp_path / name
    path.write_text(LISTS[kind])
    for open_it in (probe, PacketIndex.build, lambda path: read_frames(path, [0])):
        with pytest.raises(UnreadableVideoError) as caught:
            open_it(path)
        assert str(path) in str(caught.value)
        assert kind in str(caught.value)
        assert "Replace the file" in str(caught.value)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.png", "clip%03d.png"])
def test_pictures_are_no_videos(tmp_path, name):
    Image.new("RGB", (64, 48)).save(tmp_path / name, "PNG")
    with pytest.raises(UnreadableVideoError, match="not among the known container formats"):
        probe(tmp_path / name)


def test_devices_of_ffmpeg_are_not_opened(tmp_path):
    path = tmp_path / "clip.avs"
    path.write_text('Version().Subtitle("x")\n')
    with pytest.raises(UnreadableVideoError, match=r"clip\.avs"):
        probe(path)


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".mp4", "libx264"),
        (".mov", "libx264"),
        (".3gp", "libx264"),
        (".mkv", "libx264"),
        (".webm", "libvpx"),
        (".avi", "mpeg4"),
        (".ts", "libx264"),
        (".mpg", "mpeg2video"),
        (".flv", "libx264"),
        (".wmv", "wmv2"),
        (".ogv", "libvpx"),
        (".h264", "libx264"),
        (".m4v", "libx264"),
        (".ivf", "libvpx-vp9"),
        (".mxf", "mpeg2video"),
        (".nut", "mpeg4"),
    ],
)
def test_videos_are_videos(tmp_path, suffix, codec):
    path = write_video(tmp_path / f"clip{suffix}", 5, codec=codec)
    with open_video(path) as opened:
        assert opened.container.format.name in FORMATS


def test_nothing_is_asked_over_the_network(tmp_path):
    """A list whose entries lie on a server: it would answer, but nobody asks."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/other.ts"
        for number, text in enumerate((HLS, "ffconcat version 1.0\nfile 'other.ts'\n")):
            path = tmp_path / f"{number}.mp4"
            path.write_text(text.replace("other.ts", address))
            with pytest.raises(UnreadableVideoError):
                probe(path)
        with pytest.raises(BlockingIOError):
            server.accept()
