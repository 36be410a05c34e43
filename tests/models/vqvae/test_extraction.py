from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.stores import ArrayEpisode, assembly_job, prepare, shard_requests
from tests.models.vqvae.test_trained import publish
from tests.models.vqvae.tiny import make_config
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.codes import CodeStore
from vidrep_pipelines.data.frame_store.manifest import write_manifest
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.models.vqvae.code_report import code_report, count_codes, decoded_strips
from vidrep_pipelines.models.vqvae.extraction import ExtractionRequest, extract_shard
from vidrep_pipelines.models.vqvae.extraction_config import LatentExtractionConfig
from vidrep_pipelines.models.vqvae.trained import TrainedVqvae

CONFIG = LatentExtractionConfig(latents=True, batch_size=4)


@pytest.fixture
def store(tmp_path: Path) -> FrameStore:
    """Five trajectories with two cameras, 8x8 pixels, in three shards."""
    parts = prepare(tmp_path / "episodes", [ArrayEpisode(f"t{number}", seed=number) for number in range(5)])
    shards = run_job(assembly_job(shard_requests(parts)), tmp_path / "store")
    write_manifest(tmp_path / "store", shards.ids)
    return FrameStore(tmp_path / "store")


def extract(store: FrameStore, checkpoint: Path, folder: Path) -> CodeStore:
    for number, (shard, digest) in enumerate(store.facts.shards.items()):
        (folder / shard).parent.mkdir(parents=True, exist_ok=True)
        request = ExtractionRequest(checkpoint, "v1", store.folder, shard, digest, CONFIG, "cpu", number)
        facts = extract_shard(request, {".h5": folder / shard})
        rows = store.table[store.table["shard"] == shard]
        assert facts["frames"] == rows["frames"].sum() and facts["codes_used"] >= 1
    return CodeStore(folder, store)


def test_every_view_gets_its_codes(store: FrameStore, tmp_path: Path) -> None:
    checkpoint = publish(tmp_path / "checkpoint", make_config(image_size=8))
    codes, trained = extract(store, checkpoint, tmp_path / "codes"), TrainedVqvae.load(checkpoint)
    for view in store.ids:
        expected, latents = trained.encode(store.frames(view))
        np.testing.assert_array_equal(codes.codes(view), expected)
        np.testing.assert_allclose(codes.latents(view), latents, atol=2e-3, rtol=2e-3)  # kept as float16
        np.testing.assert_array_equal(codes.codes(view, [2, 0]), expected[[2, 0]])
    counts = count_codes(codes, 16)
    assert counts.sum() == store.table["frames"].sum() * 16
    report = code_report(counts, trained.model.config)
    assert report["codebook_use"] == (counts > 0).double().mean()
    assert report["bits_per_frame"] == 16 * 4 and report["compression"] == 8 * 3 * 64 / 64
    assert 0 < report["entropy_bits_per_frame"] <= report["bits_per_frame"]
    assert np.asarray(decoded_strips(trained, codes)).std() > 20


def test_frames_of_another_version_are_refused(store: FrameStore, tmp_path: Path) -> None:
    checkpoint = publish(tmp_path / "checkpoint", make_config(image_size=8))
    shard, _ = next(iter(store.facts.shards.items()))
    request = ExtractionRequest(checkpoint, "v1", store.folder, shard, "older", CONFIG, "cpu", 0)
    with pytest.raises(InputError, match=shard.rpartition("/")[2]):
        extract_shard(request, {".h5": tmp_path / "codes.h5"})


def test_frames_that_the_model_cannot_take_are_refused(store: FrameStore, tmp_path: Path) -> None:
    checkpoint = publish(tmp_path / "other", make_config(image_size=16, width_multipliers=(1, 1, 1, 1, 1)))
    shard, digest = next(iter(store.facts.shards.items()))
    request = ExtractionRequest(checkpoint, "v2", store.folder, shard, digest, CONFIG, "cpu", 0)
    for wrong in (request, replace(request, version="v3")):
        with pytest.raises(InputError, match="multiples of 16"):
            extract_shard(wrong, {".h5": tmp_path / "codes.h5"})
