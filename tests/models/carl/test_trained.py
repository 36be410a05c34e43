import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.torch import save_file

from tests.helpers.stores import ArrayEpisode, assembly_job, prepare, shard_requests
from tests.models.carl.tiny import CONVOLUTIONAL, make_model
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.manifest import write_manifest
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.labelled_videos.frame_embeddings import read_embeddings
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.models.carl.config import CarlDataConfig
from vidrep_pipelines.models.carl.embed import embed_frames
from vidrep_pipelines.models.carl.embedding_config import EmbeddingConfig
from vidrep_pipelines.models.carl.extraction import EmbeddingRequest, embed_video
from vidrep_pipelines.models.carl.frame_fitting import fit_frames
from vidrep_pipelines.models.carl.model import CarlModel
from vidrep_pipelines.models.carl.trained import TrainedCarl
from vidrep_pipelines.models.carl.view_sampling import ViewSamplingConfig

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
        sampling = ViewSamplingConfig(context_frames=2, context_stride=stride)
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
    write_manifest(tmp_path / "store", run_job(assembly_job(requests), tmp_path / "store").ids)
    store = FrameStore(tmp_path / "store")
    folder = publish(tmp_path / "checkpoint", make_model(), CarlDataConfig())
    video = store.ids[1]
    request = EmbeddingRequest(folder, "weights", store.folder, "frames", video, WHOLE, "cpu", 0)
    facts = embed_video(request, {".h5": tmp_path / "out.h5"})
    assert facts == {"frames": 5, "width": 8}
    frames = store.frames(video)
    expected = TrainedCarl.load(folder).embed(frames.__getitem__, 5, WHOLE)
    np.testing.assert_allclose(read_embeddings(tmp_path / "out.h5"), expected, atol=1e-6)
