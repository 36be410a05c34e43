"""Latents of single images."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.helpers.stores import ArrayEpisode, assembly_job, prepare, shard_requests
from tests.models.vqvae.tiny import DATA, make_config, make_model
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.codes import CodeStore
from vidrep_pipelines.data.frame_store.manifest import write_store_manifest
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.models.shared.codes import count_stored_codes
from vidrep_pipelines.models.vqvae.config import LatentExtractionConfig, VqvaeModelConfig
from vidrep_pipelines.models.vqvae.inference import (
    CodeExtractionRequest,
    FrameLatents,
    TrainedVqvae,
    code_extraction_requests,
    extract_shard,
)
from vidrep_pipelines.models.vqvae.model import VqvaeModel
from vidrep_pipelines.models.vqvae.pictures import codebook_report, decoded_strips


def publish(folder: Path, config: VqvaeModelConfig) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(make_model(config).state_dict(), folder / "model.safetensors")
    described = {"model": config.model_dump(mode="json"), "data": DATA.model_dump(mode="json")}
    (folder / "config.json").write_text(json.dumps(described))
    return folder


def make_frames(*shape: int) -> Any:
    return np.random.default_rng(3).integers(0, 256, (*shape, 16, 16, 3), dtype=np.uint8)


@pytest.mark.parametrize("codes", ["euclidean", "cosine"])
@pytest.mark.parametrize("decoder", ["2d", "3d", "residual_causal_3d"])
def test_codes_decode_to_the_reconstruction_bit_for_bit(tmp_path: Path, decoder: str, codes: str) -> None:
    trained = TrainedVqvae.load(publish(tmp_path, make_config({"codes": codes}, decoder=decoder)))
    frames = make_frames(2, 5)
    reconstruction, found = trained.reconstruct(frames)
    assert reconstruction.shape == (2, 5, 3, 16, 16)
    assert torch.equal(trained.encode(frames)[0], found)
    assert torch.equal(trained.decode(found.numpy().astype(np.int16)), reconstruction)
    assert len(found.unique()) > 3


def test_codes_of_a_frame_do_not_depend_on_the_batch(tmp_path: Path) -> None:
    trained = TrainedVqvae.load(publish(tmp_path, make_config()))
    frames = make_frames(9)
    whole, latents = trained.encode(frames)
    assert latents.shape == (9, 4, 8, 8)
    pieces = torch.cat([trained.encode(frames[start : start + 2])[0] for start in range(0, 9, 2)])
    assert torch.equal(whole, pieces)


@pytest.mark.parametrize("codes", [np.full((1, 2, 8, 8), 16), np.full((1, 2, 8, 8), -1), np.zeros((2, 8, 8))])
def test_other_codes_are_refused(tmp_path: Path, codes: Any) -> None:
    trained = TrainedVqvae.load(publish(tmp_path, make_config()))
    with pytest.raises(InputError, match="odes"):
        trained.decode(codes.astype(np.int16))


@pytest.mark.parametrize("damage", ["config.json", "model.safetensors", "content"])
def test_damaged_checkpoints_are_named(tmp_path: Path, damage: str) -> None:
    folder = publish(tmp_path / "checkpoint", make_config())
    if damage == "content":
        (folder / "config.json").write_text("{}")
    else:
        (folder / damage).unlink()
    with pytest.raises(InputError, match=r"checkpoint holds no checkpoint of a VQ-VAE .*pretrain_vqvae"):
        TrainedVqvae.load(folder)


CONFIG = LatentExtractionConfig(latents=True, batch_size=4)


@pytest.fixture
def store(tmp_path: Path) -> FrameStore:
    """Five trajectories with two cameras, 8x8 pixels, in three shards."""
    parts = prepare(tmp_path / "episodes", [ArrayEpisode(f"t{number}", seed=number) for number in range(5)])
    shards = run_job(assembly_job(shard_requests(parts)), tmp_path / "store")
    write_store_manifest(tmp_path / "store", shards.ids)
    return FrameStore(tmp_path / "store")


def extract(store: FrameStore, checkpoint: Path, folder: Path) -> CodeStore:
    for number, (shard, digest) in enumerate(store.facts.shards.items()):
        (folder / shard).parent.mkdir(parents=True, exist_ok=True)
        request = CodeExtractionRequest(checkpoint, "v1", store.folder, shard, digest, CONFIG, "cpu", number)
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
    counts = count_stored_codes(codes, 16)
    assert counts.sum() == store.table["frames"].sum() * 16
    report = codebook_report(counts, trained.model.config)
    assert report["codebook_use"] == (counts > 0).double().mean()
    assert report["bits_per_frame"] == 16 * 4 and report["compression"] == 8 * 3 * 64 / 64
    assert 0 < report["entropy_bits_per_frame"] <= report["bits_per_frame"]
    assert np.asarray(decoded_strips(trained, codes)).std() > 20


def test_there_is_a_request_for_every_shard(store: FrameStore, tmp_path: Path) -> None:
    requests = code_extraction_requests(tmp_path, "v1", store, CONFIG, "cpu")
    assert [request.shard for request in requests] == sorted(store.facts.shards)
    assert [request.id for request in requests] == [request.shard.removesuffix(".h5") for request in requests]
    assert [request.digest for request in requests] == [
        digest_of("v1", store.facts.shards[request.shard], CONFIG) for request in requests
    ]


def test_frames_of_another_version_are_refused(store: FrameStore, tmp_path: Path) -> None:
    checkpoint = publish(tmp_path / "checkpoint", make_config(image_size=8))
    shard, _ = next(iter(store.facts.shards.items()))
    request = CodeExtractionRequest(checkpoint, "v1", store.folder, shard, "older", CONFIG, "cpu", 0)
    with pytest.raises(InputError, match=shard.rpartition("/")[2]):
        extract_shard(request, {".h5": tmp_path / "codes.h5"})


def test_frames_that_the_model_cannot_take_are_refused(store: FrameStore, tmp_path: Path) -> None:
    checkpoint = publish(tmp_path / "other", make_config(image_size=16, width_multipliers=(1, 1, 1, 1, 1)))
    shard, digest = next(iter(store.facts.shards.items()))
    request = CodeExtractionRequest(checkpoint, "v2", store.folder, shard, digest, CONFIG, "cpu", 0)
    for wrong in (request, replace(request, version="v3")):
        with pytest.raises(InputError, match="multiples of 16"):
            extract_shard(wrong, {".h5": tmp_path / "codes.h5"})


def test_images_of_any_size() -> None:
    config = VqvaeModelConfig(
        image_size=16,
        width=8,
        width_multipliers=(1, 2, 2),
        groups=4,
        residual_blocks=1,
        attention_resolutions=(),
    )
    encoder = FrameLatents(VqvaeModel(config).eval())
    for height, width in ((16, 16), (32, 24)):
        latents = encoder(torch.rand(2, 3, height, width))
        assert latents.shape == (
            2,
            config.codebook.dimension,
            height // encoder.stride,
            width // encoder.stride,
        )
