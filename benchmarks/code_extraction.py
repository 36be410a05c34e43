"""Codes of stored frames, on disk, against the bare encoder on tensors that lie ready in memory."""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.peers import Peer, check_equal, compare, with_peer
from benchmarks.timing import Result, Work
from vidrep_pipelines.data.frame_store.shard import FRAMES, VERSION_STAMP
from vidrep_pipelines.models.vqvae.config import LatentExtractionConfig, VqvaeDataConfig, VqvaeModelConfig
from vidrep_pipelines.models.vqvae.inference import CodeExtractionRequest, extract_shard
from vidrep_pipelines.models.vqvae.model import VqvaeModel

FRAMES_PER_SHARD, BATCH, ROUNDS, VERSION = 8, 8, 5, "1"
BARE = (
    "it is the encoder alone, where ours also loads a checkpoint, reads and standardizes frames, looks codes "
    "up and writes a file; a compiler that takes longer than a small store, or a runtime of 150 MB, would "
    "have to pay for itself at every size of frames and batches"
)
HOW = (
    f"CPU time of the codes of {FRAMES_PER_SHARD} frames of 64x64 by the published architecture, batches of "
    f"{BATCH}, one thread, interleaved, medians of {ROUNDS} rounds; ours: frames read from a shard, codes "
    "written to a file; reference: the encoder alone, on standardized tensors in memory"
)


def run() -> dict[str, Result]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = VqvaeModel(VqvaeModelConfig()).eval()
    with tempfile.TemporaryDirectory() as name:
        request, batches = _prepare(Path(name), model)
        comparison = compare(
            lambda: extract_shard(request, {".h5": Path(name) / "codes.h5"}),
            lambda: _encode(model.encoder, batches),
            [
                Peer("torch", "the encoder by `torch.compile`", lambda: _compiled(model, batches), BARE),
                Peer(
                    "openvino", "the encoder, converted, in float32", lambda: _openvino(model, batches), BARE
                ),
            ],
            ROUNDS,
            time.process_time,
        )
    medians = comparison.medians
    torch.set_num_threads(threads)
    each = 1000 / FRAMES_PER_SHARD
    result = Result(
        ratio=medians.ratio,
        ours=medians.ours * each,
        reference=medians.reference * each,
        unit="milliseconds per frame",
        how=HOW,
    )
    return {"code_extraction": with_peer(result, comparison.rivals)}


@torch.inference_mode()
def _encode(encoder: Callable[[Tensor], object], batches: list[Tensor]) -> None:
    for batch in batches:
        encoder(batch)


@torch.inference_mode()
def _compiled(model: VqvaeModel, batches: list[Tensor]) -> Work:
    encoder = torch.compile(model.encoder)
    check_equal("torch.compile", encoder(batches[0]), model.encoder(batches[0]), 1e-4, 1e-4)
    return lambda: _encode(encoder, batches)


@torch.inference_mode()
def _openvino(model: VqvaeModel, batches: list[Tensor]) -> Work:
    import openvino  # noqa: PLC0415

    settings = {"INFERENCE_NUM_THREADS": "1", "INFERENCE_PRECISION_HINT": "f32"}
    converted = openvino.convert_model(model.encoder, example_input=batches[0])
    encoder = openvino.compile_model(converted, "CPU", settings)

    def encode(batch: Tensor) -> NDArray[np.float32]:
        features: NDArray[np.float32] = encoder(batch.numpy())[0]
        return features

    check_equal("OpenVINO", encode(batches[0]), model.encoder(batches[0]), 1e-4, 1e-4)
    return lambda: _encode(encode, batches)


def _prepare(folder: Path, model: VqvaeModel) -> tuple[CodeExtractionRequest, list[Tensor]]:
    """A shard of noise and a checkpoint; the same frames as the encoder takes them."""
    frames = np.random.default_rng(0).integers(0, 256, (FRAMES_PER_SHARD, 64, 64, 3), dtype=np.uint8)
    with h5py.File(folder / "frames.h5", "w") as file:
        file[FRAMES] = frames
        file.attrs[VERSION_STAMP] = VERSION
    save_file(model.state_dict(), folder / "model.safetensors")
    described = {
        "model": model.config.model_dump(mode="json"),
        "data": VqvaeDataConfig().model_dump(mode="json"),
    }
    (folder / "config.json").write_text(json.dumps(described))
    config = LatentExtractionConfig(batch_size=BATCH)
    request = CodeExtractionRequest(folder, VERSION, folder, "frames.h5", VERSION, config, "cpu", 0)
    tensors = (torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255 - 0.45) / 0.22
    return request, list(torch.split(tensors.contiguous(), BATCH))
