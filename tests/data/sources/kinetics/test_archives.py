"""Unpacking, on miniature archives in the layout of the published ones."""

import gzip
import io
import random
import tarfile
from pathlib import Path

import pytest

from tests.fuzz.limits import within_limits
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sources.kinetics import archives as kinetics_archives
from vidrep_pipelines.data.sources.kinetics.archives import find_archives, unpack

NAMES = [f"abcdefghij{number}_{number:06d}_{number + 10:06d}.mp4" for number in range(5)]


def content(name: str, size: int = 3000) -> bytes:
    return random.Random(name).randbytes(size)


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def archive(path: Path, names: list[str] = NAMES, prefix: str = "./") -> Path:
    """An archive as published: clips side by side."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz" if path.suffix != ".tar" else "w") as tar:
        for name in names:
            add(tar, f"{prefix}{name}", content(name))
    return path


def unpacked(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


WHOLE = {name: content(name) for name in NAMES}


@pytest.mark.parametrize("name", ["part_0.tar.gz", "replacement_for_corrupted_k400.tgz", "part_0.tar"])
def test_clips_lie_side_by_side(name: str, tmp_path: Path) -> None:
    path = archive(tmp_path / name, prefix="replacement_for_corrupted_k400/")
    assert unpack(path, tmp_path / "out") == {"clips": 5, "clip_bytes": 15_000, "left_out": 0}
    assert unpacked(tmp_path / "out") == WHOLE


def test_nothing_is_written_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "evil.tar.gz"
    victim = tmp_path / "victim.mp4"
    victim.write_bytes(b"mine")
    with tarfile.open(path, "w:gz") as tar:
        add(tar, "../../escaped.mp4", b"1")
        add(tar, "/absolute.mp4", b"2")
        for kind, target in ((tarfile.SYMTYPE, str(tmp_path)), (tarfile.LNKTYPE, "/etc/passwd")):
            link = tarfile.TarInfo(f"link{kind.decode()}.mp4")
            link.type, link.linkname = kind, target
            tar.addfile(link)
        folder = tarfile.TarInfo("d.mp4")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        outwards = tarfile.TarInfo("victim.mp4")
        outwards.type, outwards.linkname = tarfile.SYMTYPE, str(victim)
        tar.addfile(outwards)
        add(tar, "victim.mp4", b"3")
        add(tar, "run.sh", b"rm")
        add(tar, ".hidden.mp4", b"4")
    assert unpack(path, tmp_path / "a" / "out") == {"clips": 3, "clip_bytes": 3, "left_out": 5}
    assert unpacked(tmp_path / "a") == {
        "out/escaped.mp4": b"1",
        "out/absolute.mp4": b"2",
        "out/victim.mp4": b"3",
    }
    assert victim.read_bytes() == b"mine"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a", "evil.tar.gz", "victim.mp4"]


def test_archives_from_a_mac_with_names_that_look_like_options(tmp_path: Path) -> None:
    path = tmp_path / "mountain climber (exercise).tar.gz"
    names = ["--HHKLZPagg_000029_000039.mp4", "_vzHWdv5F1U_000143_000153.mp4"]
    with tarfile.open(path, "w:gz") as tar:
        for name in names:
            add(tar, f"mountain climber (exercise)/._{name}", b"\x00\x05\x16\x07")
            add(tar, f"mountain climber (exercise)/{name}", content(name))
    (tmp_path / f"._{path.name}").write_bytes(b"\x00\x05\x16\x07")
    (found,) = find_archives(tmp_path)
    assert found.id == "mountain climber (exercise)"
    assert unpack(found.path, tmp_path / "out") == {"clips": 2, "clip_bytes": 6000, "left_out": 2}
    assert unpacked(tmp_path / "out") == {name: content(name) for name in names}


def test_clips_of_an_earlier_attempt_stay(tmp_path: Path) -> None:
    path = archive(tmp_path / "part_0.tar.gz")
    out = tmp_path / "out"
    out.mkdir()
    (out / NAMES[0]).write_bytes(content(NAMES[0]))
    (out / NAMES[1]).write_bytes(b"cut off")
    (out / f".{NAMES[2]}.partial-1-2.mp4").write_bytes(b"left by a killed worker")
    before = (out / NAMES[0]).stat().st_ino
    unpack(path, out)
    assert unpacked(out) == WHOLE
    assert (out / NAMES[0]).stat().st_ino == before


def cut(data: bytes) -> bytes:
    return data[: len(data) * 6 // 10]


def flip_tail(data: bytes) -> bytes:
    changed = bytearray(data)
    changed[-6] ^= 0xFF  # in the checksum or the end
    return bytes(changed)


def flip_middle(data: bytes) -> bytes:
    changed = bytearray(data)
    changed[len(data) * 6 // 10] ^= 0xFF
    return bytes(changed)


@pytest.mark.parametrize("damage", [cut, flip_middle, flip_tail], ids=lambda damage: damage.__name__)
def test_damaged_compressed_archives_are_refused(damage, tmp_path: Path) -> None:
    path = archive(tmp_path / "part_0.tar.gz")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"part_0\.tar\.gz: it is damaged after \d clips"):
        unpack(path, tmp_path / "out")
    kept = unpacked(tmp_path / "out") if damage is cut else {}
    assert kept == {name: data for name, data in WHOLE.items() if name in kept}
    assert not list(tmp_path.rglob("*.partial-*"))


@pytest.mark.parametrize("compressed", [True, False])
def test_headers_that_make_no_sense_are_no_end(compressed: bool, tmp_path: Path) -> None:
    data = bytearray(archive(tmp_path / "part_0.tar").read_bytes())
    third = 2 * (512 + 3072)
    data[third : third + 512] = bytes([7]) * 512
    path = tmp_path / "broken.tar"
    path.write_bytes(gzip.compress(data) if compressed else data)
    with pytest.raises(InputError, match=r"damaged after 2 clips .*makes no sense"):
        unpack(path, tmp_path / "out")
    path.write_bytes(data[:third])
    with pytest.raises(InputError, match=r"damaged after 2 clips .*end is missing"):
        unpack(path, tmp_path / "out")


def test_archives_without_clips_and_absent_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no \.mp4 file"):
        unpack(archive(tmp_path / "part_0.tar.gz", ["readme.txt"]), tmp_path / "out")
    with pytest.raises(InputError, match="no such archive"):
        unpack(tmp_path / "absent.tar.gz", tmp_path / "out")
    (tmp_path / "error.tar.gz").write_text("<html>404 not found</html>")
    with pytest.raises(InputError, match="damaged after 0 clips"):
        unpack(tmp_path / "error.tar.gz", tmp_path / "out")


def test_a_full_disk_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: object, target: object, length: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(OSError, match="No space left"):
        unpack(archive(tmp_path / "part_0.tar.gz"), tmp_path / "out")


def test_archives_of_a_folder(tmp_path: Path) -> None:
    for name in ("train/part_1.tar.gz", "train/part_0.tar.gz", "replacement_for_corrupted_k400.tgz"):
        archive(tmp_path / name)
    (tmp_path / "notes.txt").touch()
    found = find_archives(tmp_path)
    assert [each.id for each in found] == ["part_0", "part_1", "replacement_for_corrupted_k400"]
    assert found[0].path == tmp_path / "train" / "part_0.tar.gz"
    archive(tmp_path / "val" / "part_0.tar.gz")
    with pytest.raises(InputError, match="two archives 'part_0'"):
        find_archives(tmp_path)


def test_endings_of_archives_are_known_in_capitals(tmp_path: Path) -> None:
    archive(tmp_path / "PART_0.TAR.GZ")
    (found,) = find_archives(tmp_path)
    assert (found.id, found.path.name) == ("PART_0", "PART_0.TAR.GZ")


def test_archives_of_a_published_list(tmp_path: Path) -> None:
    lines = ["https://host/400/train/part_0.tar.gz", "", "deeper/part_1.tar.gz", "/elsewhere/part_2.tar.gz"]
    path = tmp_path / "k400_train_path.txt"
    path.write_text("\n".join(lines))
    assert [each.path for each in find_archives(path)] == [
        tmp_path / "part_0.tar.gz",
        tmp_path / "deeper/part_1.tar.gz",
        Path("/elsewhere/part_2.tar.gz"),
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("", "has no archive"), ("part_0.tar.gz\nclip.mp4\n", r"names 'clip\.mp4', which is no archive")],
)
def test_lists_that_are_refused(text: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=complaint):
        find_archives(path)
    with pytest.raises(InputError, match="neither a folder nor a list"):
        find_archives(tmp_path / "absent.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="has no archive"):
        find_archives(tmp_path / "empty")


def test_what_makes_an_archive_be_unpacked_again(tmp_path: Path) -> None:
    path = archive(tmp_path / "part_0.tar.gz")
    found = find_archives(tmp_path)[0]
    digest = found.digest(tmp_path / "out")
    assert found.digest(tmp_path / "elsewhere") != digest
    archive(path, NAMES[:2])
    assert found.digest(tmp_path / "out") != digest
    path.unlink()
    assert found.digest(tmp_path / "out") != digest


def test_hidden_archives_are_none(tmp_path: Path) -> None:
    archive(tmp_path / "train/part_0.tar.gz")
    (tmp_path / "train/._part_0.tar.gz").write_bytes(b"left by a Mac")
    (tmp_path / "__MACOSX/train").mkdir(parents=True)
    (tmp_path / "__MACOSX/train/part_1.tar.gz").touch()
    assert [each.id for each in find_archives(tmp_path)] == ["part_0"]


def test_names_that_no_file_can_have_cost_only_themselves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = archive(tmp_path / "part.tar.gz", [NAMES[0], "x" * 400 + ".mp4", "a\nb.mp4", NAMES[1]])
    assert unpack(path, tmp_path / "out") == {"clips": 2, "clip_bytes": 6000, "left_out": 2}
    assert unpacked(tmp_path / "out") == {name: WHOLE[name] for name in NAMES[:2]}
    assert caplog.text.count("its name cannot be that of a file, or is too long") == 2


def test_clips_of_one_name_do_not_overwrite_each_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "part.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        add(tar, f"one/{NAMES[0]}", b"first")
        add(tar, f"two/{NAMES[0]}", b"second")
    for _ in range(2):  # also when it is done again
        assert unpack(path, tmp_path / "out") == {"clips": 1, "clip_bytes": 5, "left_out": 1}
        assert unpacked(tmp_path / "out") == {NAMES[0]: b"first"}
    assert f"'two/{NAMES[0]}' is left out: the archive has another clip of this name" in caplog.text


def sparse(size: int) -> bytes:
    """A member of so many bytes, all of them zeros that are not stored."""
    header = bytearray(tarfile.TarInfo("sparse.mp4").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[483:495] = b"%011o\0" % size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def test_what_is_far_larger_than_the_archive_is_not_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinetics_archives, "_ALWAYS_ALLOWED", 1 << 20)
    plain = tmp_path / "part.tar"
    with tarfile.open(archive(plain, NAMES[:1]), "a") as tar:
        end = tar.offset
    plain.write_bytes(plain.read_bytes()[:end] + sparse(1 << 32) + bytes(1024))
    bomb = tmp_path / "bomb.tar.gz"
    large = tarfile.TarInfo("large.mp4")
    large.size = 8 << 20
    with gzip.open(bomb, "wb", compresslevel=1) as stream:
        stream.write(large.tobuf())
        for _ in range(8):
            stream.write(bytes(1 << 20))
        small = tarfile.TarInfo(NAMES[0])
        small.size = 3000
        stream.write(small.tobuf() + content(NAMES[0]) + bytes(72 + 1024))
    for path in (plain, bomb):
        folder = tmp_path / path.stem
        assert unpack(path, folder) == {"clips": 1, "clip_bytes": 3000, "left_out": 1}
        assert unpacked(folder) == {NAMES[0]: WHOLE[NAMES[0]]}
    assert "it is a sparse file" in caplog.text
    assert "unpack to far more than the archive can hold" in caplog.text


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_headers_of_a_gigabyte_are_not_read(tmp_path: Path, kind: bytes) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = kind, 1 << 30
    path = tmp_path / "part.tar"
    path.write_bytes(archive(tmp_path / "a.tar", NAMES[:1]).read_bytes()[: 512 + 3072] + header.tobuf())
    with path.open("ab") as file:
        file.truncate((1 << 30) + 8192)  # there, but not on the disk
    with within_limits(), pytest.raises(InputError, match=r"damaged after 1 clips .* has 1073741824 bytes"):
        unpack(path, tmp_path / "out")
