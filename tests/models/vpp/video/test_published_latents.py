"""The published layout of latents: read without running anything, and written."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.models.vpp.video.codecs import publish_linear
from tests.models.vpp.video.frames import pattern_store
from tests.models.vpp.video.test_latents import extracted
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.vpp.video.published_latents import (
    published_latent_file,
    read_latent_file,
    write_published_latents,
)


def test_both_names_of_the_folder_are_known(tmp_path: Path) -> None:
    assert published_latent_file(tmp_path, "sthv2/val/7", -1) is None
    for kind in ("latent_videos_svd", "latent_videos"):
        path = tmp_path / "sthv2" / kind / "val/7/0.pt"
        path.parent.mkdir(parents=True)
        path.touch()
        assert published_latent_file(tmp_path, "sthv2/val/7", -1) == path
    assert published_latent_file(tmp_path, "sthv2/val/7", 1) is None
    assert published_latent_file(tmp_path, "sthv2", 0) is None


def test_the_first_frames_are_read(tmp_path: Path) -> None:
    values = torch.randn(5, 4, 2, 2)
    torch.save(values, tmp_path / "0.pt")
    found = read_latent_file(tmp_path / "0.pt", 3, (4, 2, 2))
    np.testing.assert_array_equal(found, values[:3].numpy())


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "0.pt"
    torch.save(torch.randn(5, 4, 2, 2), path)
    with pytest.raises(InputError, match=r"0\.pt has latents of 5 frames, the video has 6"):
        read_latent_file(path, 6, (4, 2, 2))
    with pytest.raises(InputError, match=r"\(5, 4, 2, 2\), the codec and the frames ask for \(T, 4, 3, 2\)"):
        read_latent_file(path, 5, (4, 3, 2))
    for content in ({"a": torch.zeros(1)}, torch.zeros(5, 4, 2, 2, dtype=torch.int64)):
        torch.save(content, path)
        with pytest.raises(InputError, match="holds no latents"):
            read_latent_file(path, 5, (4, 2, 2))
    path.write_bytes(b"cut off")
    with pytest.raises(InputError, match="damaged"):
        read_latent_file(path, 5, (4, 2, 2))


class Program:
    def __reduce__(self) -> tuple[object, ...]:
        return eval, ("1 + 1",)


def test_a_program_is_not_run(tmp_path: Path) -> None:
    torch.save({"latents": Program()}, tmp_path / "0.pt")
    with pytest.raises(InputError, match="nothing in it was executed"):
        read_latent_file(tmp_path / "0.pt", 1, (4, 2, 2))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    store = pattern_store(tmp_path, episodes=3, robots=("bridge",), cameras=2)
    latents = extracted(publish_linear(store, tmp_path), store, tmp_path / "latents")
    out = tmp_path / "out"
    assert write_published_latents(latents, out) == {"bridge": {"episodes": 3, "files": 6}}
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*"))
    assert len(files) == 9 and {name.split("/")[0] for name in files} == {"bridge"}
    for path in out.rglob("*.json"):
        said = json.loads(path.read_text())
        assert said["texts"][0] in ("push left", "push right") and said["video_length"] == 6
        split, number = path.parent.name, path.stem
        assert split in ("train", "val", "test")
        for camera, entry in enumerate(said["latent_videos"]):
            rows = read_latent_file(out / "bridge" / entry["latent_video_path"], 6, (6, 2, 2))
            np.testing.assert_array_equal(rows, latents.array("latents", f"bridge/{number}_{camera}"))


def test_nothing_is_written_twice_and_a_torn_file_is_mended(tmp_path: Path) -> None:
    store = pattern_store(tmp_path, episodes=3)
    latents = extracted(publish_linear(store, tmp_path), store, tmp_path / "latents")
    out = tmp_path / "out"
    write_published_latents(latents, out)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.*")}
    torn = next(out.rglob("*.pt"))
    whole = torch.load(torn, weights_only=True)
    torn.write_bytes(torn.read_bytes()[:100])
    write_published_latents(latents, out)
    changed = [path for path, time in times.items() if path.stat().st_mtime_ns != time]
    assert changed == [torn]
    torch.testing.assert_close(torch.load(torn, weights_only=True), whole, rtol=0, atol=0)
