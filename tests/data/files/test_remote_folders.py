from pathlib import Path, PurePosixPath

import fsspec
import pytest

from tests.helpers import videos
from tests.helpers.object_store import BUCKET, object_store
from vidrep_pipelines.common.errors import InputError, MissingExtraError
from vidrep_pipelines.data.files.listing import list_videos, with_absolute_paths
from vidrep_pipelines.data.files.local_copy import local_copy, probe_source
from vidrep_pipelines.data.files.remote_folders import RemoteFolders, file_system
from vidrep_pipelines.data.video.errors import UnreadableVideoError

NAMES = ["b/x.mp4", "a/deep/y.mkv", "a/deep/y.mp4", "top.mp4", "a!/z.mp4", "a.mp4", "a/notes.txt", ".h/x.mp4"]
IDS = ["a", "a!/z", "a/deep/y.mkv", "a/deep/y.mp4", "b/x", "top"]


@pytest.fixture
def memory():
    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


def test_a_store_is_listed_like_a_disk(memory, tmp_path: Path) -> None:
    for name in NAMES:
        memory.pipe(f"/videos/{name}", name.encode())
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    remote = list_videos("memory://videos").videos.to_pandas()
    local = list_videos(tmp_path).videos.to_pandas()
    assert remote["id"].tolist() == IDS
    columns = ["id", "class_name", "path", "bytes"]
    assert remote[columns].equals(local[columns])
    assert (remote["mtime_ns"] > 10**18).all()
    paths = with_absolute_paths(remote, "memory://videos/").to_pandas()["path"]
    assert paths[0] == "memory://videos/a.mp4"


def test_empty_and_absent_stores(memory) -> None:
    memory.mkdir("/empty")
    with pytest.raises(InputError, match="no video below memory://empty"):
        list_videos("memory://empty")
    with pytest.raises(InputError, match="no folder memory://absent"):
        list_videos("memory://absent")


@pytest.mark.parametrize(
    ("address", "error", "complaint"),
    [
        ("nonsense://x", InputError, "nonsense://x.*Remedy"),
        ("ftp://me:secret@host/x", InputError, "^ftp://host/x: addresses with a password"),
        ("lakefs://x", MissingExtraError, "lakefs.*Remedy"),
    ],
)
def test_addresses_that_cannot_be_used(address: str, error: type[Exception], complaint: str) -> None:
    with pytest.raises(error, match=complaint):
        file_system(address)


def test_a_folder_that_cannot_be_read_is_recorded(memory, monkeypatch) -> None:
    memory.pipe("/videos/a/x.mp4", b"x")
    memory.pipe("/videos/locked/y.mp4", b"y")
    listed = memory.ls

    def refuse(path, **options):
        if path.endswith("locked"):
            raise PermissionError("Access Denied")
        return listed(path, **options)

    folders = RemoteFolders("memory://videos")
    monkeypatch.setattr(folders._files, "ls", refuse)
    assert folders.entries(PurePosixPath("locked"), lambda _: True) == []
    assert folders.unlisted == [("locked", "the folder cannot be read: Access Denied")]


def test_a_remote_video_is_probed_and_leaves_nothing(memory, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    video = videos.write_video(tmp_path / "x.mp4", 12)
    memory.pipe("/videos/x.mp4", video.read_bytes())
    memory.pipe("/videos/text.mp4", b"not a video " * 99)
    assert probe_source("memory://videos/x.mp4", {}) == probe_source(str(video), {})
    with pytest.raises(UnreadableVideoError, match=r"^memory://videos/text\.mp4: it is a text file"):
        probe_source("memory://videos/text.mp4", {})
    with pytest.raises(InputError, match=r"^memory://videos/gone\.mp4: it cannot be fetched"):
        probe_source("memory://videos/gone.mp4", {})
    with local_copy("memory://videos/x.mp4") as path:
        assert Path(path).read_bytes() == video.read_bytes()
        assert list((tmp_path / "temporary").iterdir()) == []


def test_local_files_are_not_copied(tmp_path: Path) -> None:
    with local_copy(str(tmp_path / "x.mp4")) as path:
        assert path == str(tmp_path / "x.mp4")


def test_an_object_store(monkeypatch: pytest.MonkeyPatch) -> None:
    with object_store(monkeypatch) as client:
        for name in [*NAMES, "", "a/"]:  # the last two stand for folders, as some tools leave them
            client.put_object(Bucket=BUCKET, Key=f"raw/{name}", Body=name.encode())
        client.put_object(Bucket=BUCKET, Key="other/x.mp4", Body=b"x")
        table = list_videos(f"s3://{BUCKET}/raw").videos.to_pandas()
        assert table["id"].tolist() == IDS
        assert table["etag"].str.fullmatch("[0-9a-f]{32}").all()
        assert table["bytes"].tolist() == [len(path) for path in table["path"]]
        client.put_object(Bucket=BUCKET, Key="raw/a.mp4", Body=b"changed")
        again = list_videos(f"s3://{BUCKET}/raw").videos.to_pandas()
        assert (again["etag"] != table["etag"]).tolist() == [True] + [False] * 5
        with pytest.raises(InputError, match="no folder s3://no-such-bucket"):
            list_videos("s3://no-such-bucket/raw")
