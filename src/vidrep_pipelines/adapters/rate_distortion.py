"""Trains VQ-VAEs with several kinds of codes at several rates, and measures them on held-out clips."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from vidrep_pipelines.adapters.rate_distortion_config import RateDistortionConfig
from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.evaluation.reconstruction.clips import MeasuredClips
from vidrep_pipelines.evaluation.reconstruction.config import MeasuredClipsConfig
from vidrep_pipelines.evaluation.reconstruction.plain_codecs import clips_at_budgets
from vidrep_pipelines.evaluation.reconstruction.psnr_ssim import (
    peak_signal_to_noise_ratio,
    structural_similarity,
    to_range,
)
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.devices import gpus_to_use, limited_to_gpus
from vidrep_pipelines.fanout.job import Item, Job, Scalar
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.models.shared.code_counts import code_counts, perplexity, used_share
from vidrep_pipelines.models.shared.units import channels_last, to_bytes
from vidrep_pipelines.models.vqvae.config import VqvaeDataConfig
from vidrep_pipelines.models.vqvae.inference import TrainedVqvae
from vidrep_pipelines.models.vqvae.model import VqvaeModel
from vidrep_pipelines.models.vqvae.task import VqvaeTask
from vidrep_pipelines.reporting.rate_distortion import CodedPicture
from vidrep_pipelines.training.checkpoint import MODEL_FILE, list_checkpoints
from vidrep_pipelines.training.config import LaunchConfig, TrainConfig, TrainSpec
from vidrep_pipelines.training.distributed import choose_device
from vidrep_pipelines.training.loop import run_training
from vidrep_pipelines.training.place import Place

VALUES_SUFFIX, SHOWN_SUFFIX = ".parquet", ".png"
SHOWN_CLIPS = 3
"""Clips of which each tokenizer's middle frame is kept, side by side in one picture."""

_MEASURING = 1
"""Version of what equal runs lead to: raised when the code that trains or measures changes its results."""


@dataclass(frozen=True)
class RateItem:
    """What a worker needs to train and measure one tokenizer.

    Attributes:
        task: Its model, data and loss.
        train: Updates, batch and optimizer.
        launch: The device.
        gpu: Which of the machine's GPUs, if the device is one.
        clips: The clips of the validation split, then those of the test split.
    """

    task: VqvaeTask
    train: TrainConfig
    launch: LaunchConfig
    gpu: int
    clips: tuple[MeasuredClipsConfig, MeasuredClipsConfig]


def rate_job(
    config: RateDistortionConfig,
    store: FrameStore,
    measured: MeasuredClipsConfig,
    launch: LaunchConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per kind of codes, rate and seed: a tokenizer that is trained and measured.

    Args:
        config: Which tokenizers.
        store: The frames, of which pixels are standardized by the training split's statistics.
        measured: The clips of the test split.
        launch: Says on which kind of device; several tokenizers share each GPU.
        fanout: How items are executed.
    """
    device = choose_device(launch).type
    gpus = gpus_to_use(device)
    alone = {"processes": 1, "device": device, "loader_workers": 0, "threads_per_process": 1}
    clips = measured.model_copy(update={"split": config.validation_split}), measured
    data = VqvaeDataConfig(mean=store.facts.mean, std=store.facts.std)
    names = [
        (codes, rate, seed) for rate in config.rates for codes in config.codes for seed in range(config.seeds)
    ]
    items = []
    for number, (codes, rate, seed) in enumerate(names):
        train = config.train_of(codes, seed)
        task = VqvaeTask(
            frame_store=store.folder.absolute(),
            data=data,
            model=config.model_of(codes, rate),
            objective=config.objective,
            seed=train.seed,
        )
        gpu = number % gpus if gpus else 0
        item = RateItem(task, train, launch.model_copy(update=alone), gpu, clips)
        identity = (task.identity(), train.identity(), *(part.model_dump() for part in clips))
        digest = digest_of(_MEASURING, store.content_digest, *identity)
        items.append(Item(f"{codes}/{rate}/{seed}", item, digest))
    workers = limited_to_gpus(fanout, gpus, each=4)
    return Job("tokenizers", learn_rate, items, (VALUES_SUFFIX, SHOWN_SUFFIX), workers)


def learn_rate(item: RateItem, outputs: Mapping[str, Path]) -> dict[str, Scalar]:
    """Writes what was measured of every clip, and a few frames; the facts are about the codes."""
    trained = _trained(item)
    counts = item.task.count_codes(trained.model).cpu()
    bits = -((counts + 1) / (counts + 1).sum()).log2()
    store = FrameStore(_store_of(item.task))
    rows: list[dict[str, Any]] = []
    used = torch.zeros_like(counts)
    for split in item.clips:
        for row, codes in _measured(trained, MeasuredClips.of(store, split), bits):
            rows.append({"split": split.split, **row})
            used += code_counts(codes, len(counts)) * (split is item.clips[-1])
    values = pd.DataFrame(rows)
    with atomic_file(outputs[VALUES_SUFFIX]) as temporary:
        values.to_parquet(temporary, index=False)
    shown = item.clips[-1].model_copy(update={"limit": SHOWN_CLIPS})
    frames = middle_frames(MeasuredClips.of(store, shown))
    rebuilt = channels_last(to_bytes(trained.reconstruct(frames[None])[0][0]))
    with atomic_file(outputs[SHOWN_SUFFIX]) as temporary:
        Image.fromarray(np.concatenate(list(rebuilt), axis=1)).save(temporary, "PNG")
    quality = values.groupby("split")["psnr"].mean()
    validation, test = (float(quality[split.split]) for split in item.clips)
    return {
        "validation_psnr": validation,
        "test_psnr": test,
        "perplexity": float(perplexity(used)),
        "codebook_use": float(used_share(used)),
    }


def middle_frames(clips: MeasuredClips) -> Pixels:
    """The middle frame (N, H, W, 3) of each clip."""
    return np.concatenate([frames[:, frames.shape[1] // 2] for _, frames in clips.batches(1)])


def _trained(item: RateItem) -> TrainedVqvae:
    often = {"checkpoint_every_steps": item.train.steps, "log_every_steps": item.train.steps}
    with tempfile.TemporaryDirectory(prefix="vidrep-rate-") as name:
        folder = Path(name)
        spec = TrainSpec.of(
            item.task,
            train=item.train.model_copy(update=often),
            launch=item.launch,
            run_directory=folder / "run",
            report_directory=folder / "reports",
        )
        run_training(spec, Place(local_rank=item.gpu))
        state = load_file(list_checkpoints(folder / "run" / "checkpoints")[0] / MODEL_FILE)
    with torch.device("meta"):  # draws no initial weights, which would move torch's global generator
        model = VqvaeModel(item.task.model)
    model.load_state_dict(state, assign=True)
    device = torch.device("cuda", item.gpu) if item.launch.device == "cuda" else torch.device("cpu")
    return TrainedVqvae(model.to(device).eval(), item.task.data)


def _measured(
    trained: TrainedVqvae, clips: MeasuredClips, bits: Tensor
) -> Iterator[tuple[dict[str, Any], Tensor]]:
    """A row per clip, and its codes.

    Args:
        trained: The tokenizer.
        clips: What is measured.
        bits: (K,) of each code, by how often it is used in training frames.
    """
    equal = float(np.log2(len(bits)))
    for facts, frames in clips.batches(1):
        rebuilt, codes = (part.cpu() for part in trained.reconstruct(frames))
        real = torch.from_numpy(frames).movedim(-1, -3).float() / 255
        other = to_range(rebuilt, "rounded")
        per_pixel = codes[0, 0].numel() / real[0, 0, 0].numel()
        row = {
            "id": facts["id"].iloc[0],
            "trajectory": facts["trajectory"].iloc[0],
            "budget": equal * per_pixel,
            "bits_per_pixel": equal * per_pixel,
            "entropy_bits_per_pixel": float(bits[codes].mean()) * per_pixel,
            "psnr": float(peak_signal_to_noise_ratio(real, other).mean()),
            "ssim": float(structural_similarity(real, other).mean()),
        }
        yield row, codes


def _store_of(task: VqvaeTask) -> Path:
    assert task.frame_store is not None, "the job gives every task the store"
    return task.frame_store


def shown_tokenizers(runs: Parts) -> dict[str, Pixels]:
    """The frames (N, S, S, 3) that each tokenizer gave back, by the name of its item."""
    shown = {}
    for name in runs.ids:
        with Image.open(runs.path(name, SHOWN_SUFFIX)) as image:
            strip = np.asarray(image.convert("RGB"))
        shown[name] = np.stack(np.split(strip, strip.shape[1] // strip.shape[0], axis=1))
    return shown


def frames_at_rates(
    runs: Parts, store: FrameStore, measured: MeasuredClipsConfig, config: RateDistortionConfig
) -> tuple[Pixels, dict[str, dict[str, CodedPicture]]]:
    """The middle frame of the first shown clip, and what the first seed and plain codecs make of it.

    Args:
        runs: The tokenizers.
        store: The frames.
        measured: The clips of the test split.
        config: Which tokenizers and plain codecs.

    Returns:
        The frame (H, W, 3) uint8, and by rate in words and contender what comes back.
    """
    original = middle_frames(MeasuredClips.of(store, measured.model_copy(update={"limit": SHOWN_CLIPS})))[:1]
    shown = shown_tokenizers(runs)
    rebuilt: dict[str, dict[str, CodedPicture]] = {}
    for rate in config.rates:
        bits = config.bits_per_pixel(rate)
        coded = {name: clips_at_budgets(name, original, np.array([bits]))[0] for name in config.floors}
        items = {codes: f"{codes}/{rate}/0" for codes in config.codes}
        rebuilt[f"{bits:.3g} bits per pixel"] = {
            **{codes: CodedPicture(shown[item][0], bits) for codes, item in items.items() if item in shown},
            **{name: CodedPicture(one.frames[0], one.bits_per_pixel) for name, one in coded.items()},
        }
    return original[0], rebuilt
