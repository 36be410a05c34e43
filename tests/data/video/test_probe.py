import dataclasses

import pytest

from tests.helpers.real_clips import real_clip
from tests.helpers.videos import (
    remove_moov,
    set_rotation,
    truncate,
    write_audio_only,
    write_video,
)
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.video import container, stored_video
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.probe import displayed_size, probe, quarter_turns


def test_facts_of_a_video_with_sound(tmp_path):
    facts = probe(write_video(tmp_path / "a.mp4", 20, 96, 64, rate=10, audio=True))
    assert dataclasses.asdict(facts) == {
        "width": 96,
        "height": 64,
        "frames": 20,
        "frames_per_second": 10.0,
        "duration_seconds": 2.0,
        "codec": "h264",
        "rotation": 0,
        "has_audio": True,
        "pixel_format": "yuv420p",
    }


def test_names_with_spaces_unicode_and_protocol_like_colons(tmp_path):
    for name in ("two words.mp4", "日本語 ü.mp4", "http:x.mp4", "%03d.mp4", "-dash.mp4"):
        assert probe(write_video(tmp_path / name, 3)).frames == 3, name


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_size_is_the_displayed_one(tmp_path, rotation):
    facts = probe(write_video(tmp_path / "a.mp4", 3, 96, 64, rotation=rotation))
    assert (facts.width, facts.height) == ((96, 64) if rotation == 180 else (64, 96))
    assert facts.rotation % 360 == rotation


def test_rotation_can_be_taken_back(tmp_path):
    path = set_rotation(write_video(tmp_path / "a.mp4", 3, rotation=90), 0)
    assert probe(path).rotation == 0


@pytest.mark.parametrize(("rotation", "turns"), [(0, 0), (90, 1), (-90, 3), (180, 2), (-180, 2), (89, 1)])
def test_quarter_turns(rotation, turns):
    assert quarter_turns(rotation) == turns
    assert displayed_size(3, 2, rotation) == ((2, 3) if turns % 2 else (3, 2))


@pytest.mark.parametrize("name", ["a.mkv", "a.webm", "a.avi", "a.mov"])
def test_other_containers(tmp_path, name):
    codec = "libvpx-vp9" if name.endswith("webm") else "libx264"
    facts = probe(write_video(tmp_path / name, 50, codec=codec))
    assert facts.duration_seconds == pytest.approx(2, abs=0.1)
    assert facts.frames_per_second == 25


def _make_bad(kind, path):
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("This is not the video you are looking for.\n" * 20)
    elif kind == "binary":
        path.write_bytes(bytes(range(255, 0, -1)) * 20)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to("nowhere.mp4")
    elif kind == "sound":
        write_audio_only(path)
    elif kind == "moov":
        remove_moov(write_video(path))
    elif kind == "header cut":
        truncate(write_video(path, faststart=True), 0.01)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("empty", "empty \\(0 bytes\\)"),
        ("text", "text file|no video stream"),
        ("binary", "no video format"),
        ("folder", "is a folder"),
        ("link", "no such file"),
        ("absent", "no such file"),
        ("sound", "no video stream"),
        ("moov", "MP4 header \\(moov\\) is missing"),
        ("header cut", "MP4 header \\(moov\\) is missing|no video stream"),
    ],
)
def test_a_file_that_is_no_video_is_named_with_the_reason(tmp_path, kind, reason):
    path = tmp_path / "bad clip.mp4"
    _make_bad(kind, path)
    with pytest.raises(UnreadableVideoError, match=reason) as caught:
        probe(path)
    assert str(path) in str(caught.value)
    assert isinstance(caught.value, InputError)


def test_a_file_without_permission(tmp_path, monkeypatch):
    path = write_video(tmp_path / "secret.mp4", 3)

    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(container.av, "open", refuse)
    monkeypatch.setattr(stored_video.os, "open", refuse)
    with pytest.raises(UnreadableVideoError, match=r"secret\.mp4.*Permission denied"):
        probe(path)


def test_a_playlist_in_disguise_cannot_fetch_anything(tmp_path):
    path = tmp_path / "list.mp4"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(UnreadableVideoError):
        probe(path)


@pytest.mark.parametrize(("degrees", "rotation"), [(0, 0), (90, -90), (180, -180), (270, 90)])
def test_real_rotated_clips(degrees, rotation):
    assert probe(real_clip(f"video_{degrees}.mov")).rotation == rotation


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (
            "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n",
            "a Git-LFS pointer to a file of 9",
        ),
        ("<!DOCTYPE html>\n<html><body>Video unavailable</body></html>", "a web page"),
    ],
)
def test_what_lies_in_place_of_a_video_is_named(tmp_path, content, what):
    path = tmp_path / "a.mp4"
    path.write_text(content)
    with pytest.raises(UnreadableVideoError, match=rf"a\.mp4: it is {what}.*Remedy: "):
        probe(path)
