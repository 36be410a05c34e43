import pickle
from pathlib import Path

import numpy as np
import pytest

from tests.data.frame_store.test_store import make
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.codes import CodeStore, code_shard
from vidrep_pipelines.data.frame_store.contiguous import ContiguousArray
from vidrep_pipelines.data.frame_store.store import FrameStore


def encode(frames: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]") -> np.ndarray:
    """Stands in for an encoder: (T, 2, 2) codes from (T, 8, 8, 3) frames."""
    return frames[:, ::4, ::4, 0].astype(np.int64) * 100


def extract(store: FrameStore, folder: Path, latents: bool = False) -> CodeStore:
    for name, version in store.facts.shards.items():
        frames = ContiguousArray(store.folder / name, "frames")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        channels = 1 if latents else None
        with code_shard(folder / name, frames.shape[0], (2, 2), version, channels) as writer:
            for start in range(0, frames.shape[0], 3):
                codes = encode(frames.read(start, min(start + 3, frames.shape[0])))
                writer.append(codes, codes[:, None] / 1000 if latents else None)
        frames.close()
    return CodeStore(folder, store)


def test_codes_are_addressed_like_frames(tmp_path: Path) -> None:
    store = FrameStore(make(tmp_path))
    codes = pickle.loads(pickle.dumps(extract(store, tmp_path / "codes", latents=True)))
    for view in store.ids:
        for selection in (slice(None), slice(1, 3), [3, 0]):
            expected = encode(store.frames(view, selection))
            found = codes.codes(view, selection)
            assert found.dtype == np.int16
            np.testing.assert_array_equal(found, expected)
            np.testing.assert_allclose(codes.latents(view, selection)[:, 0], expected / 1000, rtol=1e-3)
            np.testing.assert_array_equal(codes.frames(view, selection), store.frames(view, selection))
    codes.close()


def test_codes_of_other_frames_are_refused(tmp_path: Path) -> None:
    store = FrameStore(make(tmp_path))
    name = next(iter(store.facts.shards))
    path = tmp_path / "codes" / name
    path.parent.mkdir(parents=True)
    with code_shard(path, 2, (2, 2), "other") as writer:
        writer.append(np.zeros((2, 2, 2)))
    view = store.table.loc[store.table["shard"] == name, "id"].iloc[0]
    with pytest.raises(InputError, match="made anew"):
        CodeStore(tmp_path / "codes", store).codes(view)


def test_absent_latents(tmp_path: Path) -> None:
    store = FrameStore(make(tmp_path))
    with pytest.raises(InputError, match="'latents'"):
        extract(store, tmp_path / "codes").latents(store.ids[0])


def test_incomplete_and_impossible_codes(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="1 of 2 frames"),
        code_shard(tmp_path / "a.h5", 2, (2, 2), "") as writer,
    ):
        writer.append(np.zeros((1, 2, 2)))
    with (
        pytest.raises(InputError, match="16 bits"),
        code_shard(tmp_path / "b.h5", 2, (2, 2), "") as writer,
    ):
        writer.append(np.full((2, 2, 2), 2**15))
    with (
        pytest.raises(InputError, match="latents"),
        code_shard(tmp_path / "c.h5", 2, (2, 2), "", latent_channels=3) as writer,
    ):
        writer.append(np.zeros((2, 2, 2)))
