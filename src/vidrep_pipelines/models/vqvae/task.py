"""VQ-VAE for the training loop: which samples, which model, which loss, which pictures."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from PIL.Image import Image
from pydantic import model_validator
from torch import Tensor, nn
from torch.utils.data import Dataset

from vidrep_pipelines.data.clips.dataset import ClipDataset, Sample
from vidrep_pipelines.data.clips.table import ClipRows
from vidrep_pipelines.data.transforms import normalize
from vidrep_pipelines.data.video.items import INDEX_SUFFIX
from vidrep_pipelines.models.layers.patch_discriminator import PatchDiscriminator
from vidrep_pipelines.models.layers.vqgan import Level
from vidrep_pipelines.models.shared.code_counts import code_counts
from vidrep_pipelines.models.shared.codes import code_histogram
from vidrep_pipelines.models.vqvae.adversarial import adversarial_losses
from vidrep_pipelines.models.vqvae.checkpoint_io import load_into, load_original
from vidrep_pipelines.models.vqvae.config import (
    LossFiles,
    VqvaeDataConfig,
    VqvaeModelConfig,
    VqvaeObjectiveConfig,
)
from vidrep_pipelines.models.vqvae.dataset import (
    StoredWindows,
    WholeFrames,
    WindowSampling,
    picture_clips,
    spread_samples,
)
from vidrep_pipelines.models.vqvae.model import VqvaeModel
from vidrep_pipelines.models.vqvae.objective import (
    LossNetworks,
    VqvaeLosses,
    load_loss_networks,
    vqvae_objective,
)
from vidrep_pipelines.models.vqvae.pictures import reconstruction_strips
from vidrep_pipelines.training.optimizer import weight_decay_groups
from vidrep_pipelines.training.system_task import SystemTask
from vidrep_pipelines.training.task import Batch, Metrics, StepInfo

_HISTOGRAM_FRAMES = 512
_FRAMES_AT_ONCE = 64


class VqvaeTask(SystemTask[VqvaeModel]):
    """A :class:`~vidrep_pipelines.training.task.Task` that also follows updates, for an averaged codebook."""

    name: ClassVar[str] = "vqvae"
    name_in_digests: ClassVar[str] = "vidrep_pipelines.models.vqvae.task:VqvaeTask"
    not_science: ClassVar[set[str] | dict[str, Any]] = {
        "clip_table",
        "videos",
        "frame_store",
        "files",
        "initialize_from",
        "shown_split",
    }

    clip_table: Path | None = None
    """Table of clips, as ``data.clips.table.snapshot`` writes it, when training on video files."""

    videos: Path | None = None
    """Folder that the clips' paths are relative to."""

    frame_store: Path | None = None
    """Folder of a frame store, in place of video files."""

    split: str = "train"
    """Part of the frame store that is trained on."""

    shown_split: str | None = None
    """Held-out part of the frame store of which pictures are made, too. None: only of what is trained on."""

    data: VqvaeDataConfig
    """Which frames make a sample, and their units."""

    model: VqvaeModelConfig
    """The architecture."""

    objective: VqvaeObjectiveConfig
    """The loss."""

    files: LossFiles = LossFiles()
    """Networks that losses need."""

    initialize_from: Path | None = None
    """Weights to start from, a checkpoint in the original layout. None: random initialization."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        files = self.clip_table is not None and self.videos is not None
        if files == (self.frame_store is not None):
            raise ValueError("set either clip_table and videos, or frame_store")
        if files and self.shown_split is not None:
            raise ValueError("only a frame store has a shown_split")
        if self.model.channels != 3:
            raise ValueError(f"videos have 3 color channels, but model.channels is {self.model.channels}")
        return self

    @property
    def samples_per_item(self) -> int:
        """Windows drawn from each opened video; one from a frame store, whose items are windows."""
        return 1 if self.frame_store else self.data.windows_per_clip

    def files_that_count(self) -> dict[str, Path | None]:
        """Weights to start from, and the files of the loss that its weights ask for."""
        return {"initialize_from": self.initialize_from, **self._used_files()}

    def checkpoint_config(self) -> dict[str, Any]:
        """The architecture, and the data's frames and units of pixels."""
        return self.model_dump(mode="json", include={"model", "data"})

    def _used_files(self) -> dict[str, Path | None]:
        objective = self.objective
        perceptual = objective.perceptual_weight > 0 and objective.perceptual_network == "lpips"
        used = {
            "perceptual_trunk": perceptual,
            "perceptual_heads": perceptual,
            "action_features": objective.needs_action_features,
        }
        return {name: path for name, path in self.files.paths().items() if used[name]}

    def build_model(self) -> VqvaeModel:
        """The model, with a discriminator if the loss has one.

        Raises:
            InputError: ``initialize_from`` or a file of the loss cannot be read or holds another network.
            ConfigurationError: A file that the loss needs is not named.
        """
        _ = self._networks  # before anything is trained
        adversarial = self.objective.adversarial
        discriminator = None
        if adversarial.weight:
            discriminator = PatchDiscriminator(self.model.channels, adversarial.width, adversarial.layers)
        model = VqvaeModel(self.model, discriminator)
        if self.initialize_from is not None:
            load_into(model, load_original(self.initialize_from), str(self.initialize_from))
        return model

    def build_dataset(self) -> Dataset[Sample]:
        """Windows of frames: ``frames`` (R, T, 3, S, S) uint8 and one ``seed`` for each window.

        Raises:
            ConfigurationError: The frame store does not fit the model.
        """
        if self.frame_store is not None:
            return self._stored_windows(self.frame_store)
        assert self.clip_table is not None and self.videos is not None
        sampling = WindowSampling(
            frames=self.data.clip_frames,
            step=self.data.frame_step,
            windows=self.data.windows_per_clip,
            first_frames=self.data.first_frames,
        )
        return ClipDataset(
            ClipRows(self.clip_table),
            self.videos,
            sampling,
            WholeFrames(size=self.model.image_size),
            seed=self.seed,
            index_suffix=INDEX_SUFFIX,
        )

    def _stored_windows(self, folder: Path) -> StoredWindows:
        return StoredWindows(folder, self.split, self.data, self.model.image_size, self.seed)

    def item_names(self, indices: Sequence[int]) -> list[str]:
        """Clip ids, or views with their first frame, for error messages."""
        if self.frame_store is not None:
            windows = self._stored_windows(self.frame_store)
            return [windows.name(index) for index in indices]
        assert self.clip_table is not None
        clips = ClipRows(self.clip_table)
        return [clips.id(index) for index in indices]

    def parameter_groups(self, model: VqvaeModel, weight_decay: float) -> list[dict[str, Any]]:
        """Vectors and matrices of the model, and of the discriminator with its own learning rate."""
        judge = model.discriminator
        if judge is None:
            return weight_decay_groups(model, weight_decay)
        judged = {id(parameter) for parameter in judge.parameters()}
        groups: list[dict[str, Any]] = []
        for group in weight_decay_groups(model, weight_decay):
            for scale, own in ((1.0, False), (self.objective.adversarial.learning_rate_scale, True)):
                parameters = [item for item in group["params"] if (id(item) in judged) is own]
                groups += [{**group, "params": parameters, "lr_scale": scale}] if parameters else []
        return groups

    def shard_units(self, model: VqvaeModel) -> list[nn.Module]:
        """The levels of encoder and decoder."""
        return [module for module in model.modules() if isinstance(module, Level)]

    @cached_property
    def _networks(self) -> LossNetworks:
        return load_loss_networks(self.objective, self.files, "cpu")

    def loss(self, model: VqvaeModel, batch: Batch, step: StepInfo) -> tuple[Tensor, Metrics]:
        """The loss of windows: frames (B, R, T, 3, S, S) uint8, seed (B, R)."""
        images = self._images(batch["frames"].flatten(0, 1))
        losses = self._losses(model, images)
        if model.codebook_average is not None:
            quantized = losses.outputs.quantized
            vectors = quantized.latents.detach().flatten(0, -2)
            priorities = _priorities(batch["seed"].flatten(), len(vectors))
            model.codebook_average.observe(vectors, quantized.codes.flatten(), priorities)
        if model.discriminator is None:
            return losses.loss, losses.metrics()
        game = adversarial_losses(
            model.discriminator,
            images,
            losses.outputs.reconstruction,
            losses.reconstruction,
            model.decoder.last_layer,
            self.objective.adversarial,
            step=step.step,
            mean_across_ranks=step.mean_across_ranks,
        )
        return losses.loss + game.loss, losses.metrics() | game.metrics()

    def losses(self, model: VqvaeModel, frames: Tensor) -> VqvaeLosses:
        """The loss of windows (B, T, 3, S, S) uint8 without that of a discriminator, and its parts."""
        return self._losses(model, self._images(frames))

    def _losses(self, model: VqvaeModel, images: Tensor) -> VqvaeLosses:
        networks = self._networks.to(images.device)
        return vqvae_objective(model, images, self.objective, self.data, networks)

    def _images(self, frames: Tensor) -> Tensor:
        """Windows (B, T, 3, S, S) uint8 in the network's units; (B, 3, S, S) if they are single frames."""
        clips = self.standardized(frames)
        return clips[:, 0] if self.data.clip_frames == 1 and not self.model.needs_clips else clips

    def after_update(self, model: VqvaeModel, step: StepInfo) -> None:
        """Moves a codebook that follows averages."""
        if model.codebook_average is not None:
            model.codebook_average.update(model.quantizer, step.mean_across_ranks, step.gather_across_ranks)

    def standardized(self, frames: Tensor) -> Tensor:
        """Pixels (..., 3, S, S) uint8 to the network's units."""
        return normalize(frames, self.data.mean, self.data.std)

    def pictures(self, model: VqvaeModel) -> dict[str, Image]:
        """Reconstructions of a few clips that never change, and the use of the codes."""
        pictures = {"reconstructions": self.reconstructions_picture(model)}
        if self.shown_split is not None:
            pictures["held_out"] = self.held_out().reconstructions_picture(model)
        return {**pictures, "codes": self.code_use_picture(model)}

    def held_out(self) -> Self:
        """The same on the held-out split; itself, if none is named."""
        return self if self.shown_split is None else self.model_copy(update={"split": self.shown_split})

    def reconstructions_picture(self, model: VqvaeModel) -> Image:
        """Original, reconstruction and error of clips spread over the data set."""
        clips = self.standardized(picture_clips(self.build_dataset(), self.data.clip_frames))
        return reconstruction_strips(model, clips.to(_device_of(model)), self.data)

    def code_use_picture(self, model: VqvaeModel) -> Image:
        """How often each code is used in samples spread over the data set."""
        return code_histogram(self.count_codes(model))

    @torch.no_grad()
    def count_codes(self, model: VqvaeModel) -> Tensor:
        """Uses (K,) of the codes in up to 512 frames spread over the data set."""
        per_item = self.data.clip_frames * (1 if self.frame_store else self.data.windows_per_clip)
        samples = spread_samples(self.build_dataset(), max(1, _HISTOGRAM_FRAMES // per_item))
        images = self.standardized(samples.flatten(0, 2)[:_HISTOGRAM_FRAMES]).to(_device_of(model))
        codes = [model.encode(part) for part in torch.split(images, _FRAMES_AT_ONCE)]
        return code_counts(torch.cat(codes), model.quantizer.size)


def _priorities(seeds: Tensor, vectors: int) -> Tensor:
    """Random numbers (vectors,) in [0, 1), each sample's from its own seed."""
    generator = torch.Generator()
    drawn = [
        torch.rand(vectors // len(seeds), generator=generator.manual_seed(seed)) for seed in seeds.tolist()
    ]
    return torch.cat(drawn)


def _device_of(model: nn.Module) -> torch.device:
    return next(model.parameters()).device
