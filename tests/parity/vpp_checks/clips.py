"""Clips of the real samples: which frames, in which order drawn, and which latents they have.

The samples are real robot clips; they are read as anybody's are, into a store, before they are compared.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.helpers.stores import SERIAL
from vidrep_pipelines.data.frame_store.assembly import assemble_shard
from vidrep_pipelines.data.frame_store.config import FramesConfig, FrameStoreConfig, SplitConfig
from vidrep_pipelines.data.frame_store.manifest import write_store_manifest
from vidrep_pipelines.data.frame_store.plan import plan_shards
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest, prepare_episode
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.sources.robot_clips.annotation import published_latents
from vidrep_pipelines.data.sources.robot_clips.instances import list_instances
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.models.vpp.video.dataset import MixedClips
from vidrep_pipelines.models.vpp.video.mixture import MixtureConfig, draw_published_clip

_SIDE = 32


def samples_of(recorded: Path) -> Path:
    """The real samples that lie beside the recordings, ``shared/data`` beside ``shared/parity``."""
    folder = recorded.parents[2] / "data" / "vpp_instances"
    if not folder.is_dir():
        pytest.skip(f"needs the real samples in {folder}")
    return folder


def check_clips(recorded: Path) -> None:
    """Frames of every clip, number of clips, and draws in the published order."""
    expected = json.loads((recorded / "stage1_clips.json").read_text())
    length = expected["sequence_length"]
    with stored_samples(samples_of(recorded)) as store:
        mixture = MixtureConfig(
            datasets=expected["dataset"], prob=tuple(expected["prob"]), published_indexing=True
        )
        mixed = MixedClips(store, None, length, mixture, _no_tokens, seed=0)
        assert [dataset.clips for dataset in mixed.datasets] == expected["sample_counts"]
        assert len(mixed) == expected["length"]
        assert _frames_by_annotation(mixed, store, length) == expected["clips"]
        _compare_draws(mixed, store, mixture, expected["draws"])


def check_latents(recorded: Path) -> None:
    """Mean, deviation and first pixels of the clips' published latents, clip by clip."""
    expected = np.load(recorded / "stage1_latents.npz")
    samples = samples_of(recorded)
    files = sorted((samples / "bridge/annotation/val").glob("*.json"), key=lambda file: file.name)
    with stored_samples(samples) as store:
        mixed = MixedClips(store, None, 16, MixtureConfig(datasets="bridge"), _no_tokens, seed=0)
        for number, file in enumerate(files):
            latents = torch.load(published_latents(file)[0], weights_only=True)
            clip = latents[torch.from_numpy(mixed.datasets[0].place(number, 0, 16).frames)].double().numpy()
            assert clip.shape == tuple(expected["shape"])[-4:]
            np.testing.assert_allclose(clip[:, :, 0, 0], expected["first_pixel"][number], rtol=1e-5)
            np.testing.assert_allclose(
                [clip.mean(), clip.std()],
                [expected["mean"][number], expected["std"][number]],
                rtol=1e-4,
            )


def check_prediction_frames(recorded: Path) -> None:
    """Frames that the published prediction tool shows its model."""
    from vidrep_pipelines.evaluation.video_prediction.frames import FrameRuleConfig, prediction_frame_ids

    for name, cases in json.loads((recorded / "prediction_frames.json").read_text()).items():
        for case in cases:
            rule = FrameRuleConfig(
                start=case["start_idx"], skip=case["skip_step"], only_one_clip=case["only_one_clip"]
            )
            ids = prediction_frame_ids(case["length"], case["num_frames"], rule)
            assert ids.tolist() == case["frame_ids"], (name, case)


def _frames_by_annotation(mixed: MixedClips, store: FrameStore, length: int) -> dict[str, list[list[int]]]:
    clips: dict[str, list[list[int]]] = {}
    for dataset in mixed.datasets:
        for clip in range(dataset.clips):
            place = dataset.place(clip, 0, length)
            clips.setdefault(_annotation(store, place.view), []).append(place.frames.tolist())
    return clips


def _annotation(store: FrameStore, view: int) -> str:
    """``bridge/annotation/val/14.json`` for the view ``bridge/val/14_0``."""
    dataset, split, episode = store.table["trajectory"].iloc[view].split("/")
    return f"{dataset}/annotation/{split}/{episode}.json"


def _compare_draws(
    mixed: MixedClips, store: FrameStore, mixture: MixtureConfig, draws: list[dict[str, Any]]
) -> None:
    """As after seeding NumPy's global generator: items are read one after the other."""
    shares = np.array(list(mixture.shares.values()))
    random = np.random.RandomState()
    for expected in draws:
        if expected["call"] == 0:
            random = np.random.RandomState(expected["seed"])
        draw = draw_published_clip(mixed.datasets, shares, expected["index"], random)
        dataset = mixed.datasets[draw.dataset]
        place = dataset.place(draw.clip, draw.camera, len(expected["frame_ids"]))
        assert (dataset.name, draw.camera) == (expected["dataset"], expected["cam_id"])
        assert (place.frames.tolist(), place.text) == (expected["frame_ids"], expected["text"])
        assert store.table["camera"].iloc[place.view] == expected["cam_id"]


@contextmanager
def stored_samples(samples: Path) -> Iterator[FrameStore]:
    """A store of all samples, their frames made small: here it is only asked which ones they are."""
    yield FrameStore(_store_folder(samples))


@cache
def _store_folder(samples: Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="vpp-samples-"))
    frames = FramesConfig(height=_SIDE, width=_SIDE, min_frames=2)
    sources = [source for name in ("bridge", "rt1", "xhand") for source in list_instances(samples / name)]
    requests = [EpisodeRequest(source, frames) for source in sources]
    items = [Item(request.id, request, request.digest) for request in requests]
    parts = run_job(Job("episodes", prepare_episode, items, (".h5",), SERIAL), folder / "episodes")
    assert set(parts.table["status"]) == {"ok"}, parts.table["error"]
    split = SplitConfig(validation=0, test=0)
    config = FrameStoreConfig(name="samples", split=split, separate_robots=True)
    planned = plan_shards(parts.table, parts.folder, frames, config)
    shards = [Item(request.id, request, request.digest) for request in planned]
    done = run_job(Job("shards", assemble_shard, shards, (".h5",), SERIAL), folder / "store")
    write_store_manifest(folder / "store", done.ids)
    return folder / "store"


def _no_tokens(texts: Any) -> Any:
    raise AssertionError("no item is asked for")
