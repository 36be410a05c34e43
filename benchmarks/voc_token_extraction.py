"""Codes of stored frames on disk: against the encoder alone, and against the published way."""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from benchmarks.reference.voc_token_extraction_published import published_codes
from benchmarks.timing import Medians, Result, interleave
from vidrep_pipelines.data.frame_store.episode import NO_CAMERA
from vidrep_pipelines.data.frame_store.shard import View, pixel_sums, write_shard
from vidrep_pipelines.models.voc.tokenizers.config import PixelConfig
from vidrep_pipelines.models.voc.tokenizers.dataset import prepare_frames
from vidrep_pipelines.models.voc.tokenizers.inference import (
    TokenExtractionRequest,
    TokenizerSource,
    extract_tokens,
)
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeConfig
from vidrep_pipelines.models.voc.tokenizers.vae.model import VaeTokenizer

FRAMES, BATCH, SIDE, ROUNDS = 32, 16, 84, 3
HOW = (
    f"CPU time of {FRAMES} frames of {SIDE} pixels through the full-size VQGAN encoder, batches of {BATCH}, "
    f"float32; ours reads a shard and writes a file of codes; interleaved, medians of {ROUNDS} rounds; "
    "reference: "
)


def write_frames(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A shard of one episode of noise, whose pictures (N, H, W, 3) are returned."""
    pictures = np.random.default_rng(0).integers(0, 256, (FRAMES, SIDE, SIDE, 3), dtype=np.uint8)
    nothing = np.zeros((0, 0), np.float32)
    view = View("noise", NO_CAMERA, "", FRAMES, FRAMES, nothing, nothing, pixel_sums(pictures))
    write_shard(path, [view], [pictures], (SIDE, SIDE), {"digest": "noise"})
    return pictures


def run() -> dict[str, Result]:
    pixels = PixelConfig(normalization="published")
    model = VaeTokenizer(VaeConfig(pixels=pixels)).eval()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frames = torch.from_numpy(write_frames(folder / "frames.h5")).permute(0, 3, 1, 2)
        save_file(model.state_dict(), folder / "model.safetensors")
        source = TokenizerSource(
            kind="vae", weights=folder / "model.safetensors", model={"pixels": pixels.model_dump()}
        )
        request = TokenExtractionRequest(
            "noise", folder / "frames.h5", "noise", source.model_dump_json(), source.digest, BATCH
        )
        prepared = torch.split(prepare_frames(frames, pixels), BATCH)
        shifts = torch.split(torch.randint(9, (FRAMES, 2)), BATCH)

        def ours() -> None:
            extract_tokens(request, {".h5": folder / "codes.h5"})

        @torch.no_grad()
        def encoder_alone() -> None:
            for part in prepared:
                model.latents(part)

        def published() -> None:
            for part, shift in zip(torch.split(frames, BATCH), shifts, strict=True):
                latents = torch.nn.Sequential(model.encoder, model.to_latents)
                published_codes(latents, model.codebook, part, shift, pixels.size)

        bare = interleave(ours, encoder_alone, ROUNDS, time.process_time)
        whole = interleave(ours, published, ROUNDS, time.process_time)
    return {
        "voc_token_extraction": _result(bare, "the encoder alone on prepared pictures in memory"),
        "voc_token_extraction_published": _result(
            whole, "shift, resize and encode with autograd, nothing written"
        ),
    }


def _result(medians: Medians, how: str) -> Result:
    return Result(
        ratio=medians.ratio,
        ours=medians.ours,
        reference=medians.reference,
        unit="seconds",
        how=HOW + how,
    )
