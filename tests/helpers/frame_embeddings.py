"""Small releases with embeddings that show phases, or do not."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.data.labelled_videos.frame_embeddings import FrameEmbeddings, write_embeddings
from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos, typed_table

Phases = Sequence[int] | NDArray[np.integer]


def rising(*lengths: int) -> list[int]:
    """Phase 0 for so many frames, then phase 1, and so on."""
    return np.repeat(np.arange(len(lengths)), lengths).tolist()


def labelled_videos(videos: Mapping[str, Phases], classes: int = 3) -> LabelledVideos:
    """Videos named ``split/action_number``; an absent phase is noted as the preparation does."""
    rows = []
    for number, (name, phases) in enumerate(videos.items()):
        split, _, rest = name.partition("/")
        absent = sorted(set(range(classes)) - set(np.array(phases).tolist()))
        rows.append(
            {
                "id": name,
                "split": split,
                "action": rest.partition("_")[0],
                "action_label": number,
                "classes": classes,
                "frames": len(phases),
                "labelled_frames": int((np.array(phases) >= 0).sum()),
                "absent_phases": ",".join(map(str, absent)) or None,
            }
        )
    return LabelledVideos(typed_table(rows), tuple(np.array(phases, np.int16) for phases in videos.values()))


def telling(phases: Phases, seed: int, noise: float = 0.05) -> NDArray[np.float32]:
    """(T, 6) embeddings of unit length that show phase and progress."""
    labels = np.array(phases)
    one_hot = np.eye(5)[np.maximum(labels, 0)]
    frames = np.concatenate([one_hot, np.linspace(0, 1, len(labels))[:, None]], axis=1)
    frames += np.random.default_rng(seed).normal(scale=noise, size=frames.shape)
    unit: NDArray[np.float32] = (frames / np.linalg.norm(frames, axis=1, keepdims=True)).astype(np.float32)
    return unit


def mute(phases: Phases, seed: int) -> NDArray[np.float32]:
    """(T, 6) embeddings of unit length that show nothing."""
    frames = np.random.default_rng(seed).normal(size=(len(phases), 6))
    unit: NDArray[np.float32] = (frames / np.linalg.norm(frames, axis=1, keepdims=True)).astype(np.float32)
    return unit


def stored(folder: Path, arrays: Mapping[str, NDArray[np.floating]], digest: str = "0") -> FrameEmbeddings:
    """Files of embeddings, as the extraction writes them."""
    for name, array in arrays.items():
        path = folder / f"{name}.h5"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_embeddings(path, array.astype(np.float32))
    return FrameEmbeddings(folder, tuple(sorted(arrays)), digest)


def telling_and_mute(folder: Path, labelled: LabelledVideos) -> dict[str, FrameEmbeddings]:
    """Both kinds for all videos."""
    pairs = list(zip(labelled.ids, labelled.labels, strict=True))
    return {
        "trained": stored(
            folder / "trained", {name: telling(own, seed) for seed, (name, own) in enumerate(pairs)}, "a"
        ),
        "untrained": stored(
            folder / "untrained", {name: mute(own, seed) for seed, (name, own) in enumerate(pairs)}, "b"
        ),
    }
