"""The embeddings of FineGym's frames that CARL's authors publish: a pickle per video, with its labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.common.foreign_number import whole_numbers
from vidrep_pipelines.data.labelled_videos.frame_embeddings import EMBEDDINGS_SUFFIX, write_embeddings
from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos, typed_table
from vidrep_pipelines.data.sources.long_videos.config import FineGymFeaturesConfig
from vidrep_pipelines.data.sources.long_videos.published_index import load_tensor_pickle
from vidrep_pipelines.data.sources.long_videos.video import UNLABELLED, Labels

_FOLDERS = {"train": "finegym_eval_trainset", "validation": "finegym_eval_valset"}


@dataclass(frozen=True)
class FeatureFile:
    """One file.

    Attributes:
        path: The file.
        split: The split that its folder stands for.
        stamp: Changes when the file does.
        classes: How many classes there are.
    """

    path: Path
    split: str
    stamp: str
    classes: int

    @property
    def id(self) -> str:
        """``<split>/<name of the file>``."""
        return f"{self.split}/{self.path.stem}"

    @property
    def digest(self) -> str:
        """Changes with the file and the number of classes."""
        return digest_of(self.stamp, self.classes)


def feature_files(config: FineGymFeaturesConfig) -> list[FeatureFile]:
    """The files of both splits, in the order of their names, in which fractions of the data are taken.

    Raises:
        ConfigurationError: No folder is named.
        InputError: A folder is missing, or has no pickles.
    """
    if config.root is None:
        raise ConfigurationError(
            "carl_finegym_features.root names no folder of published features. Remedy: set "
            "VIDREP_FINEGYM_FEATURES to the one with finegym_eval_trainset and finegym_eval_valset."
        )
    files = []
    for split, name in _FOLDERS.items():
        paths = sorted((config.root.absolute() / name).glob("*.pkl"))
        if not paths:
            raise InputError(
                f"carl_finegym_features.root: there is no .pkl file in {config.root / name}. Remedy: unpack "
                "the published features there."
            )
        for path in paths:
            status = path.stat()
            files.append(FeatureFile(path, split, f"{status.st_size}-{status.st_mtime_ns}", config.classes))
    return files


def read_features(file: FeatureFile) -> tuple[NDArray[np.float32], Labels]:
    """Embeddings (L, D) and labels (L,) of the frames of a video; nothing in the file is executed.

    Raises:
        InputError: The file is damaged, asks to run code, or does not hold both.
    """
    content = load_tensor_pickle(file.path)
    try:
        embeddings = np.array(content["embs"], np.float32)
        labels = whole_numbers(content["labels"], "labels", UNLABELLED, file.classes - 1)
        if embeddings.ndim != 2 or len(embeddings) != len(labels) or not np.isfinite(embeddings).all():
            raise ValueError(f"embs {embeddings.shape} and labels {labels.shape} are not of the same frames")
    except (KeyError, TypeError, ValueError, InputError) as error:
        raise InputError(
            f"{file.path} does not hold embs (L, D) and labels (L,) of {file.classes} classes ({error}). "
            "Remedy: download it again, or set carl_finegym_features.classes."
        ) from error
    return embeddings, labels


def store_features(file: FeatureFile, outputs: Mapping[str, Path]) -> dict[str, int]:
    """Writes the embeddings of a video as ours.

    Args:
        file: The published file.
        outputs: Where the embeddings (".h5") go.

    Returns:
        One row: frames, and the width of the embeddings.

    Raises:
        InputError: See :func:`read_features`.
    """
    embeddings, _ = read_features(file)
    write_embeddings(outputs[EMBEDDINGS_SUFFIX], embeddings)
    return {"frames": len(embeddings), "width": embeddings.shape[1]}


def label_features(files: list[FeatureFile]) -> LabelledVideos:
    """The index of the videos and their labels.

    Raises:
        InputError: See :func:`read_features`.
    """
    labels = [read_features(file)[1].astype(np.int16) for file in files]
    rows: list[dict[str, object]] = [
        {
            "id": file.id,
            "split": file.split,
            "action": "",
            "action_label": UNLABELLED,
            "classes": file.classes,
            "frames": len(values),
            "labelled_frames": int((values != UNLABELLED).sum()),
            "absent_phases": None,
            "problems": None,
        }
        for file, values in zip(files, labels, strict=True)
    ]
    return LabelledVideos(typed_table(rows), tuple(labels))
