"""Codes of stored frames, on disk, against the bare encoder on tensors that lie ready in memory."""

import json
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.timing import Result, interleave
from vidrep_pipelines.data.frame_store.shard import FRAMES, VERSION_STAMP
from vidrep_pipelines.models.vqvae.config import LatentExtractionConfig, VqvaeDataConfig, VqvaeModelConfig
from vidrep_pipelines.models.vqvae.inference import CodeExtractionRequest, extract_shard
from vidrep_pipelines.models.vqvae.model import VqvaeModel

FRAMES_PER_SHARD, BATCH, ROUNDS, VERSION = 8, 8, 5, "1"
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
        medians = interleave(
            lambda: extract_shard(request, {".h5": Path(name) / "codes.h5"}),
            lambda: _encode(model, batches),
            ROUNDS,
            time.process_time,
        )
    torch.set_num_threads(threads)
    each = 1000 / FRAMES_PER_SHARD
    result = Result(
        ratio=medians.ratio,
        ours=medians.ours * each,
        reference=medians.reference * each,
        unit="milliseconds per frame",
        how=HOW,
    )
    return {"code_extraction": result}


@torch.inference_mode()
def _encode(model: VqvaeModel, batches: list[Tensor]) -> None:
    for batch in batches:
        model.encoder(batch)


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
