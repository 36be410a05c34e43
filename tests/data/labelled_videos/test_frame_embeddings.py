import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.labelled_videos.frame_embeddings import (
    FrameEmbeddings,
    read_embeddings,
    write_embeddings,
)


def test_arrays_by_id(tmp_path: Path) -> None:
    written = np.arange(6, dtype=np.float32).reshape(3, 2)
    (tmp_path / "train").mkdir()
    write_embeddings(tmp_path / "train/a.h5", written)
    embeddings = pickle.loads(pickle.dumps(FrameEmbeddings(tmp_path, ("train/a",), "digest")))
    np.testing.assert_array_equal(embeddings.of("train/a"), written)
    assert len(embeddings) == 1 and embeddings.of("train/a").dtype == np.float32
    with pytest.raises(InputError, match="no embeddings of 'train/b'"):
        embeddings.of("train/b")


def test_files_without_embeddings(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("none")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["codes"] = [1, 2]
    for name in ("absent", "text", "other"):
        with pytest.raises(InputError, match=f"{name}.h5 holds no embeddings"):
            read_embeddings(tmp_path / f"{name}.h5")
