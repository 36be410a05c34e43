"""Maps of single stages."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import Tensor

from tests.helpers.stores import ArrayEpisode, assembly_job, prepare, shard_requests
from tests.models.carl.tiny import CONVOLUTIONAL, make_model
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.manifest import write_store_manifest
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.labelled_videos.frame_embeddings import read_embeddings
from vidrep_pipelines.data.labelled_videos.inserted_pause import InsertedPauseConfig
from vidrep_pipelines.data.transforms import normalize
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.models.carl.config import CarlDataConfig, CarlModelConfig, EmbeddingConfig
from vidrep_pipelines.models.carl.excerpt_sampling import ExcerptSamplingConfig
from vidrep_pipelines.models.carl.inference import (
    BackboneStage,
    TrainedCarl,
    _chunks,
    embed_frames,
    embed_video,
    embedding_requests,
)
from vidrep_pipelines.models.carl.model import CarlModel
from vidrep_pipelines.models.carl.video_source import fit_frames


class Video:
    """Random pixels that note what is read."""

    def __init__(self, frames: int, side: int = 32) -> None:
        generator = torch.Generator().manual_seed(0)
        self.frames = torch.randint(0, 256, (frames, 3, side, side), generator=generator, dtype=torch.uint8)
        self.read_ranks: list[int] = []

    def __call__(self, ranks: NDArray[np.int64]) -> Tensor:
        self.read_ranks += ranks.tolist()
        return self.frames[torch.from_numpy(ranks)]


def embed(model: CarlModel, video: Video, context_stride: int = 15, **fields: Any) -> Tensor:
    return embed_frames(model, video, len(video.frames), EmbeddingConfig(**fields), context_stride)


@pytest.mark.parametrize("seams", ["blend", "published"])
def test_a_short_video_is_one_clip(seams: Any) -> None:
    model, video = make_model(), Video(9)
    expected = model.embed(normalize(video.frames)[None])[0]
    found = embed(model, video, seams=seams, frames_per_block=4)
    torch.testing.assert_close(found, expected.detach())
    assert found.dtype == torch.float32 and not found.requires_grad
    assert video.read_ranks == list(range(9))


def test_published_seams_are_clips_of_their_own() -> None:
    model, video = make_model(), Video(11)
    found = embed(model, video, chunk_frames=4, seams="published")
    parts = [model.embed(normalize(video.frames[start : start + 4])[None])[0] for start in (0, 4, 8)]
    torch.testing.assert_close(found, torch.cat(parts).detach())


def test_blended_seams_are_smoother_and_keep_unit_length() -> None:
    model, video = make_model(), Video(40)
    video.frames = video.frames[:1].expand(40, -1, -1, -1)  # only the positions change
    steps = {
        seams: embed(model, video, chunk_frames=10, seams=seams).diff(dim=0).norm(dim=1)
        for seams in ("blend", "published")
    }
    assert steps["blend"].max() < 0.7 * steps["published"].max()
    found = embed(model, video, chunk_frames=10)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(40))


@given(st.integers(1, 200), st.integers(3, 60), st.floats(0.34, 0.5), st.sampled_from(["blend", "published"]))
@settings(deadline=None)
def test_chunks_cover_every_frame_with_a_weight_of_one(
    length: int, size: int, overlap: float, seams: Any
) -> None:
    config = EmbeddingConfig(chunk_frames=size, overlap=overlap, seams=seams)
    total = torch.zeros(length)
    for start, weights in _chunks(length, config):
        assert 0 < len(weights) <= size and (weights > 0).all()
        total[start : start + len(weights)] += weights
    torch.testing.assert_close(total, torch.ones(length))


@pytest.mark.parametrize("encoder", ["conv", "vanilla"])
def test_context_frames_reach_back_across_blocks(encoder: str) -> None:
    """However the video is cut, position p sees p - stride, clamped at the beginning of the video only."""
    model, video = make_model(**{**CONVOLUTIONAL, "encoder": encoder}), Video(9, side=65)
    ranks = torch.tensor([[max(place - 3, 0), place] for place in range(9)]).flatten()
    expected = model.embed(normalize(video.frames[ranks])[None])[0]
    for block in (2, 9):
        found = embed(model, video, context_stride=3, frames_per_block=block, chunk_frames=4)
        torch.testing.assert_close(found, expected.detach())


@pytest.mark.parametrize("present", [True, False])
def test_lower_precision_is_near(monkeypatch: pytest.MonkeyPatch, present: bool) -> None:
    """Without instructions for bfloat16 it is not emulated: the embeddings are the exact ones."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"bf16": present}, raising=False)
    model, video = make_model(), Video(6)
    exact, rough = embed(model, video), embed(model, video, precision="bf16")
    difference = float((exact - rough).abs().max())
    assert rough.dtype == torch.float32 and (0 < difference < 0.1 if present else difference == 0)


def test_what_cannot_be_embedded_is_refused() -> None:
    with pytest.raises(InputError, match="without frames"):
        embed(make_model(), Video(0))
    with pytest.raises(InputError, match="training mode"):
        embed(make_model().train(), Video(3))
    with pytest.raises(ValidationError, match="overlap is less than one frame"):
        EmbeddingConfig(chunk_frames=3, overlap=0.1)


WHOLE = EmbeddingConfig(frames_per_block=4)


def publish(folder: Path, model: CarlModel, data: CarlDataConfig) -> Path:
    folder.mkdir()
    save_file(model.state_dict(), folder / "model.safetensors")
    config = {"model": model.config.model_dump(mode="json"), "data": data.model_dump(mode="json")}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def pictures(count: int, height: int = 70, width: int = 90) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("crop", ["short_side_center", "resize", "center_native"])
def test_embeds_frames_as_they_are_cropped_outside_of_training(crop: Any, tmp_path: Path) -> None:
    model, frames = make_model(), pictures(7)
    trained = TrainedCarl.load(publish(tmp_path / "checkpoint", model, CarlDataConfig(evaluation_crop=crop)))
    found = trained.embed(frames.__getitem__, 7, WHOLE)
    fitted = fit_frames(frames, 32, crop)
    expected = embed_frames(model, fitted.__getitem__, 7, WHOLE)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)


def test_context_frames_are_as_far_apart_as_in_training() -> None:
    model, frames = make_model(**CONVOLUTIONAL), pictures(9)
    found = {}
    for stride in (1, 3):
        sampling = ExcerptSamplingConfig(context_frames=2, context_stride=stride)
        trained = TrainedCarl(model, CarlDataConfig(sampling=sampling))
        found[stride] = trained.embed(frames.__getitem__, 9, WHOLE)
        fitted = fit_frames(frames, 65, "short_side_center")
        expected = embed_frames(model, fitted.__getitem__, 9, WHOLE, stride)
        np.testing.assert_allclose(found[stride], expected.numpy(), atol=1e-6)
    assert np.abs(found[1] - found[3]).max() > 1e-3


def test_video_of_one_frame(tmp_path: Path) -> None:
    trained = TrainedCarl(make_model(), CarlDataConfig())
    assert trained.embed(pictures(1).__getitem__, 1, WHOLE).shape == (1, 8)


def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no checkpoint of CARL"):
        TrainedCarl.load(tmp_path)
    folder = publish(tmp_path / "checkpoint", make_model(), CarlDataConfig())
    (folder / "config.json").write_text('{"model": {}, "data": {"flip": 1}}')
    with pytest.raises(InputError, match="no checkpoint of CARL"):
        TrainedCarl.load(folder)


def test_a_video_of_a_store_is_written(tmp_path: Path) -> None:
    episodes = [ArrayEpisode(f"clip{number}", lengths=(5,), controls=False) for number in range(3)]
    requests = shard_requests(prepare(tmp_path / "episodes", episodes))
    write_store_manifest(tmp_path / "store", run_job(assembly_job(requests), tmp_path / "store").ids)
    store = FrameStore(tmp_path / "store")
    folder = publish(tmp_path / "checkpoint", make_model(), CarlDataConfig())
    video = store.ids[1]
    request = embedding_requests(folder, "weights", store, WHOLE, "cpu")[1]
    facts = embed_video(request, {".h5": tmp_path / "out.h5"})
    assert facts == {"frames": 5, "width": 8}
    frames = store.frames(video)
    expected = TrainedCarl.load(folder).embed(frames.__getitem__, 5, WHOLE)
    np.testing.assert_allclose(read_embeddings(tmp_path / "out.h5"), expected, atol=1e-6)
    paused = replace(request, pause=InsertedPauseConfig(start=0.5, length=0.6))
    assert paused.digest != request.digest
    assert embed_video(paused, {".h5": tmp_path / "paused.h5"}) == {"frames": 5, "width": 8}
    shown = frames[[0, 1, 2, 2, 2, 2, 3, 4]]
    expected = TrainedCarl.load(folder).embed(shown.__getitem__, 8, WHOLE)[[0, 1, 2, 6, 7]]
    np.testing.assert_allclose(read_embeddings(tmp_path / "paused.h5"), expected, atol=1e-6)


def test_requests_change_with_frames_weights_and_parameters_not_with_the_device(tmp_path: Path) -> None:
    episodes = [ArrayEpisode(f"clip{number}", lengths=(5,), controls=False) for number in range(3)]
    requests = shard_requests(prepare(tmp_path / "episodes", episodes))
    write_store_manifest(tmp_path / "store", run_job(assembly_job(requests), tmp_path / "store").ids)
    store = FrameStore(tmp_path / "store")
    embeddings = embedding_requests(tmp_path, "weights", store, WHOLE, "cpu")
    assert [request.video for request in embeddings] == list(store.ids)
    assert [request.number for request in embeddings] == [0, 1, 2]
    for number, request in enumerate(embeddings):
        shard, start, count = store.index.frames(number)
        assert request.digest == digest_of("weights", store.facts.shards[shard], start, count, WHOLE)
    assert len({request.digest for request in embeddings}) == 3
    cuda = embedding_requests(tmp_path, "weights", store, WHOLE, "cuda")
    assert [request.digest for request in cuda] == [request.digest for request in embeddings]
    others = embedding_requests(tmp_path, "other", store, WHOLE, "cpu")
    assert not {request.digest for request in others} & {request.digest for request in embeddings}


CONFIG = CarlModelConfig(stage_widths=(4, 8, 16, 32), stage_blocks=(1, 1, 1, 1))


def test_every_stage_halves_the_maps() -> None:
    model = CarlModel(CONFIG).eval()
    images = torch.rand(1, 3, 64, 96)
    for stage, width in enumerate(CONFIG.stage_widths, start=1):
        encoder = BackboneStage(model, stage)
        shape = (1, 4 * width, 64 // encoder.stride, 96 // encoder.stride)
        assert encoder(images).shape == shape
    torch.testing.assert_close(BackboneStage(model)(images), model.backbone(images))


def test_stage_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="stages 1 to 4"):
        BackboneStage(CarlModel(CONFIG), 5)
