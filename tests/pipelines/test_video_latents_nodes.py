"""The nodes of latents through the catalog's data sets, and what they say when something is missing."""

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.stores import SERIAL
from tests.models.vpp.video.codecs import LINEAR
from tests.models.vpp.video.frames import pattern_store
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.datasets.checkpoint import CheckpointDataset
from vidrep_pipelines.datasets.frame_store import FrameArraysDataset
from vidrep_pipelines.models.vpp.video.codec_config import (
    CodecConfig,
    LatentsExportConfig,
    VideoLatentsConfig,
)
from vidrep_pipelines.pipelines.config import FoldersConfig
from vidrep_pipelines.pipelines.latent_extraction import video_latents_nodes as nodes
from vidrep_pipelines.pipelines.latent_extraction.video_latents_pipeline import (
    create_video_latents_export_pipeline,
    create_video_latents_pipeline,
)
from vidrep_pipelines.training.config import LaunchConfig


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    return pattern_store(tmp_path_factory.mktemp("store"), episodes=3)


def test_frames_to_latents_to_the_published_layout(store: FrameStore, tmp_path: Path) -> None:
    folders = FoldersConfig(models=tmp_path / "models", reporting=tmp_path / "reporting")
    codec = CheckpointDataset(filepath=(tmp_path / "codec").as_posix())
    codec.save(nodes.make_video_codec(store, LINEAR, folders))
    assert codec.load().meta["system"] == "video_codec"
    extraction = VideoLatentsConfig(dtype="float32", picture_frames=4)
    latents = FrameArraysDataset(filepath=(tmp_path / "latents").as_posix(), frames=store.folder.as_posix())
    job = nodes.extract_video_latents(codec.load(), store, extraction, LaunchConfig(device="cpu"), SERIAL)
    latents.save(job)
    report, picture = nodes.report_video_latents(codec.load(), latents.load(), extraction)
    assert set(report) == {"tabletop"} and picture.size[1] > 50
    export = LatentsExportConfig(folder=tmp_path / "out")
    exported = nodes.export_video_latents(latents.load(), export)
    assert exported["data_sets"] == {"tabletop": {"episodes": 3, "files": 3}}
    assert len(list((tmp_path / "out").rglob("*.pt"))) == 3
    assert np.isfinite(latents.load().array("latents", store.ids[0])).all()


def test_an_autoencoder_that_is_not_named_is_asked_for(store: FrameStore, tmp_path: Path) -> None:
    folders = FoldersConfig(models=tmp_path, reporting=tmp_path)
    with pytest.raises(ConfigurationError, match=r"video_latents\.codec\.folder is not set"):
        nodes.make_video_codec(store, CodecConfig(), folders)


def test_what_goes_in_and_comes_out() -> None:
    pipeline = create_video_latents_pipeline()
    assert {name for name in pipeline.inputs() if not name.startswith("params:")} == {"robot_frames"}
    names = {"video_latents", "video_codec", "video_latents.report", "video_latents.decoded"}
    assert pipeline.all_outputs() == names
    assert create_video_latents_export_pipeline().all_outputs() == {"video_latents.exported"}
