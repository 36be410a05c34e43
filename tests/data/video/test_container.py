"""What counts as a video when it is opened: playlists and the like do not, whatever they are called."""

import re
import socket

import pytest
from PIL import Image

from tests.fuzz.limits import within_limits
from tests.helpers.videos import write_video
from vidrep_pipelines.data.video.container import FORMATS, open_video
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


def grown(path, frames):
    """A VP8 file whose keyframes from one on say that they are 15000 x 15000 (RFC 6386, 9.1)."""
    data = bytearray(path.read_bytes())
    marks = [match.start() for match in re.finditer(rb"\x9d\x01\x2a", data)]
    assert len(marks) > 1
    for mark in marks[frames:]:
        data[mark + 3 : mark + 7] = (15_000).to_bytes(2, "little") * 2
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("first", [0, 1])
def test_a_few_bytes_do_not_fill_the_memory(tmp_path, first):
    path = grown(write_video(tmp_path / "a.webm", 10, codec="libvpx", options={"g": "5"}), first)
    with within_limits():
        if first == 0:
            with pytest.raises(UnreadableVideoError, match=r"a\.webm: its first frame cannot be decoded"):
                probe(path)
        else:  # some of it can be seen
            assert (probe(path).width, PacketIndex.build(path).frames) == (96, 5)
            with pytest.raises(UnreadableVideoError, match=r"a\.webm"):
                read_frames(path, [7])


def test_headers_that_promise_too_much_are_refused(tmp_path):
    path = write_video(tmp_path / "a.avi", 3, codec="rawvideo")
    data = bytearray(path.read_bytes())
    size = data.index(b"strf") + 12  # after the name and length of the header, and the length again
    assert data[size : size + 8] == (96).to_bytes(4, "little") + (64).to_bytes(4, "little")
    data[size : size + 8] = (15_000).to_bytes(4, "little") * 2
    path.write_bytes(data)
    with within_limits(), pytest.raises(UnreadableVideoError, match=r"a\.avi: .*15000 x 15000 pixels, more"):
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
