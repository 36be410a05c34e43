import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.labelled_videos.frame_embeddings import read_embeddings
from vidrep_pipelines.data.sources.long_videos.config import FineGymFeaturesConfig
from vidrep_pipelines.data.sources.long_videos.published_features import (
    feature_files,
    label_features,
    read_features,
    store_features,
)


def write_features(root: Path, split: str, name: str, **content: object) -> Path:
    """A file as the authors publish it."""
    path = root / split / f"{name}.pkl"
    path.parent.mkdir(parents=True, exist_ok=True)
    embeddings = torch.randn(5, 4, generator=torch.Generator().manual_seed(len(name)))
    labels = torch.tensor([0.0, 0.0, 1.0, -1.0, 98.0])
    fields = {"embs": embeddings, "labels": labels, "seq_len": torch.tensor(5), "name": name}
    path.write_bytes(pickle.dumps({**fields, **content}))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("v_E_000001", "v_E_000000"):
        write_features(tmp_path, "finegym_eval_trainset", name)
    write_features(tmp_path, "finegym_eval_valset", "w_E_000000", embs=torch.ones(5, 4, dtype=torch.float16))
    return tmp_path


def test_both_splits_become_embeddings_and_labels(root: Path, tmp_path: Path) -> None:
    files = feature_files(FineGymFeaturesConfig(root=root))
    assert [file.id for file in files] == ["train/v_E_000000", "train/v_E_000001", "validation/w_E_000000"]
    labelled = label_features(files)
    assert labelled.ids == [file.id for file in files]
    assert labelled.table["split"].tolist() == ["train", "train", "validation"]
    np.testing.assert_array_equal(labelled.labels[0], [0, 0, 1, -1, 98])
    assert labelled.table["labelled_frames"].tolist() == [4, 4, 4] and set(labelled.table["classes"]) == {99}
    assert store_features(files[2], {".h5": tmp_path / "w.h5"}) == {"frames": 5, "width": 4}
    stored = read_embeddings(tmp_path / "w.h5")
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored, np.ones((5, 4)))


def test_a_changed_file_is_read_again(root: Path) -> None:
    config = FineGymFeaturesConfig(root=root)
    before = [file.digest for file in feature_files(config)]
    write_features(root, "finegym_eval_valset", "w_E_000000", labels=torch.zeros(5))
    after = [file.digest for file in feature_files(config)]
    assert before[:2] == after[:2] and before[2] != after[2]
    other = [file.digest for file in feature_files(config.model_copy(update={"classes": 288}))]
    assert not set(other) & set(after)


class Malicious:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("executed",)


@pytest.mark.parametrize(
    "content",
    [
        {"labels": torch.zeros(4)},
        {"labels": torch.full((5,), 99.0)},
        {"labels": torch.full((5,), 0.5)},
        {"embs": torch.zeros(5)},
        {"embs": torch.full((5, 4), float("nan"))},
        {"embs": "none"},
        {"embs": Malicious()},
    ],
)
def test_other_content_is_refused_and_nothing_executed(
    root: Path, monkeypatch: pytest.MonkeyPatch, content: dict[str, object]
) -> None:
    monkeypatch.chdir(root)
    write_features(root, "finegym_eval_valset", "w_E_000000", **content)
    with pytest.raises(InputError, match=r"w_E_000000\.pkl"):
        read_features(feature_files(FineGymFeaturesConfig(root=root))[2])
    assert not (root / "executed").exists()


def test_missing_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"carl_finegym_features\.root.*VIDREP_FINEGYM_FEATURES"):
        feature_files(FineGymFeaturesConfig())
    write_features(tmp_path, "finegym_eval_trainset", "a")
    with pytest.raises(InputError, match=r"no \.pkl file in .*finegym_eval_valset"):
        feature_files(FineGymFeaturesConfig(root=tmp_path))
