"""CARL and its baselines for the training loop: which samples, which model, which loss, which pictures."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from PIL.Image import Image
from pydantic import Field, model_validator
from torch import Tensor, nn

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.clips.table import ClipRows
from vidrep_pipelines.data.transforms import normalize
from vidrep_pipelines.models.carl.augmentation import change_colors
from vidrep_pipelines.models.carl.backbone import load_backbone
from vidrep_pipelines.models.carl.checkpoint_io import load_into, load_original, with_layers
from vidrep_pipelines.models.carl.config import (
    BackboneOrigin,
    CarlDataConfig,
    CarlModelConfig,
    CarlObjectiveConfig,
    MissingLayers,
)
from vidrep_pipelines.models.carl.dataset import ExcerptDataset, FrameLabelRows
from vidrep_pipelines.models.carl.model import CarlModel, parameter_groups
from vidrep_pipelines.models.carl.objective import Excerpts, carl_objective
from vidrep_pipelines.models.carl.pictures import ViewPair, similarity_sheet, views_sheet
from vidrep_pipelines.models.carl.video_source import StoredVideos, VideoFiles, VideoSource
from vidrep_pipelines.training.system_task import SystemTask
from vidrep_pipelines.training.task import Batch, Metrics, StepInfo

_PICTURE_VIDEOS = 3


class CarlTask(SystemTask[CarlModel]):
    """All that the training loop needs to know about CARL.

    A :class:`~vidrep_pipelines.training.task.Task`.
    """

    name: ClassVar[str] = "carl"
    name_in_digests: ClassVar[str] = "vidrep_pipelines.models.carl.task:CarlTask"
    not_science: ClassVar[set[str] | dict[str, Any]] = {
        "clip_table",
        "videos",
        "frame_store",
        "labels",
        "backbone_weights",
        "initialize_from",
        "missing_layers",  # refused, or added in one way: another run it is by the file and model.layers
    }

    clip_table: Path | None = None
    """Table of clips, as ``data.clips.table.snapshot`` writes it, when training on video files."""

    videos: Path | None = None
    """Folder that the clips' paths are relative to."""

    frame_store: Path | None = None
    """Folder of a frame store, in place of video files."""

    splits: tuple[str, ...] = Field(("train",), min_length=1)
    """Parts of the frame store that are trained on."""

    labels: Path | None = None
    """Frame labels and actions, as ``dataset.write_frame_labels`` writes them; for classification and for
    samples of several videos."""

    data: CarlDataConfig
    """Which frames make a sample, and what is done to them."""

    model: CarlModelConfig
    """The architecture."""

    objective: CarlObjectiveConfig
    """The loss."""

    backbone_origin: BackboneOrigin = "byol"
    """What the ResNet starts from; all but ``random`` need ``backbone_weights``. The original names BYOL and
    starts from supervised weights (transformer) or random ones (convolutions)."""

    backbone_weights: Path | None = None
    """File of the ResNet's weights."""

    initialize_from: Path | None = None
    """Weights of the whole model to start from, a checkpoint in the original layout, in place of
    ``backbone_weights``."""

    missing_layers: MissingLayers = "refuse"
    """What is done where ``initialize_from`` has fewer layers than the model."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        files = self.clip_table is not None and self.videos is not None
        if files == (self.frame_store is not None):
            raise ValueError("set either clip_table and videos, or frame_store")
        for ours, theirs in (("frames", "frames"), ("context_frames", "context_frames")):
            if getattr(self.model, ours) != getattr(self.data.sampling, theirs):
                raise ValueError(f"model.{ours} and data.sampling.{theirs} must be equal")
        self._check_objective()
        return self

    def _check_objective(self) -> None:
        """Raises ValueError unless samples and outputs are what the loss compares."""
        kind, sampling = self.objective.name, self.data.sampling
        needed = {
            "scl": (sampling.views == 2, "data.sampling.views: 2"),
            "tcc": (
                sampling.views * self.data.videos_per_sample >= 2,
                "at least two views or data.videos_per_sample",
            ),
            "tcn": (sampling.positive_window > 0, "a data.sampling.positive_window above 0"),
            "classification": (
                self.model.classes is not None and self.labels is not None,
                "model.classes and labels",
            ),
        }
        fulfilled, what = needed[kind]
        if not fulfilled:
            raise ValueError(f"objective {kind} needs {what}")
        if (kind == "classification") != (self.model.classes is not None):
            raise ValueError("model.classes are for objective classification only")

    @property
    def samples_per_item(self) -> int:
        """Videos opened for a sample: published epochs count videos."""
        return self.data.videos_per_sample

    def files_that_count(self) -> dict[str, Path | None]:
        """Labels, and weights to start from."""
        return {
            "labels": self.labels,
            "backbone_weights": self.backbone_weights,
            "initialize_from": self.initialize_from,
        }

    def checkpoint_config(self) -> dict[str, Any]:
        """The architecture, and how frames are sampled and cropped."""
        return self.model_dump(mode="json", include={"model", "data"})

    def build_model(self) -> CarlModel:
        """The model, from published weights of the ResNet or of everything.

        Raises:
            InputError: A file cannot be read or belongs to another architecture.
            ConfigurationError: The ResNet's weights are not given, or given and not wanted.
        """
        model = CarlModel(self.model)
        if self.initialize_from is not None:
            state = load_original(self.initialize_from).weights
            if self.missing_layers == "copy_last":
                state = with_layers(state, self.model.layers)
            load_into(model, state, str(self.initialize_from))
            return model
        if (self.backbone_origin == "random") != (self.backbone_weights is None):
            raise ConfigurationError(
                f"backbone_origin is {self.backbone_origin!r}, but backbone_weights is "
                f"{self.backbone_weights}. Set backbone_weights to the file of these weights, or "
                "backbone_origin to random: a frozen ResNet with random weights sees little."
            )
        if self.backbone_weights is not None:
            load_backbone(model.backbone, self.backbone_weights, self.backbone_origin)
        return model

    def build_dataset(self) -> ExcerptDataset:
        """Views of videos, see :class:`ExcerptDataset`.

        Raises:
            InputError: There are no videos, or the labels cannot be read.
        """
        labels = None if self.labels is None else FrameLabelRows(self.labels)
        return ExcerptDataset(self._source(), self.data, self.model.image_size, self.seed, labels)

    def _source(self) -> VideoSource:
        if self.frame_store is not None:
            return StoredVideos(self.frame_store, self.splits)
        assert self.clip_table is not None and self.videos is not None
        return VideoFiles(ClipRows(self.clip_table), self.videos)

    def item_names(self, indices: Sequence[int]) -> list[str]:
        """Ids of videos, for error messages."""
        videos = self._source()
        return [videos.name(index) for index in indices]

    def parameter_groups(self, model: CarlModel, weight_decay: float) -> list[dict[str, Any]]:
        """Batch norms and the rest, decayed alike as published."""
        return parameter_groups(model, weight_decay)

    def shard_units(self, model: CarlModel) -> list[nn.Module]:
        """The ResNet's stages and the head."""
        stages = [model.backbone.get_submodule(f"layer{number}") for number in range(1, 5)]
        return [*stages, model.head]

    def loss(self, model: CarlModel, batch: Batch, step: StepInfo) -> tuple[Tensor, Metrics]:
        """The loss of samples as :class:`ExcerptDataset` makes them, collated."""
        frames = self.augmented(batch)
        outputs = model(frames.flatten(0, 1), batch["mask"].flatten(0, 1))
        views = Excerpts(*(batch[name] for name in ("positions", "lengths", "mask", "labels", "index")))
        losses = carl_objective(
            outputs.unflatten(0, frames.shape[:2]),
            views,
            self.objective,
            step.gather_across_ranks,
            step.mean_across_ranks,
        )
        return losses.loss, losses.metrics

    def augmented(self, batch: Batch) -> Tensor:
        """Normalized frames (B, V, K * T, 3, S, S), with the changes of color that are still to be made."""
        frames: Tensor = batch["frames"]
        if frames.is_floating_point():
            return frames
        return change_colors(frames, batch["colors"], self.data.augmentation.blur_times)

    def pictures(self, model: CarlModel) -> dict[str, Image]:
        """How two views of a few videos that never change find one another in time."""
        return {"view_similarity": self.similarity_picture(model)}

    def similarity_picture(self, model: CarlModel) -> Image:
        """How two views of a few videos, with unchanged colors, find one another in time."""
        return similarity_sheet(model, self._picture_pairs(next(model.parameters()).device))

    def views_picture(self) -> Image:
        """What the model gets to see of a few videos in training."""
        dataset = self.build_dataset()
        samples = [dataset[0, index] for index in _spread(len(dataset))]
        shown = [(dataset.name(sample["index"]), sample, self.augmented(sample)) for sample in samples]
        return views_sheet(shown, self.model.context_frames)

    def _picture_pairs(self, device: torch.device) -> list[ViewPair]:
        dataset = self._picture_dataset
        samples = [dataset[0, index] for index in _spread(len(dataset))]
        return [
            ViewPair(
                dataset.name(sample["index"]),
                normalize(sample["frames"]).to(device),
                sample["positions"],
                sample["mask"].to(device),
            )
            for sample in samples
        ]

    @cached_property
    def _picture_dataset(self) -> ExcerptDataset:
        """Two views of single videos, with unchanged colors, whatever is trained."""
        sampling = self.data.sampling.model_copy(update={"views": 2, "positive_window": 0})
        changes = {"sampling": sampling, "videos_per_sample": 1}
        data = self.data.model_copy(
            update={**changes, "augmentation": self.data.augmentation.model_copy(update={"exact": False})}
        )
        return ExcerptDataset(self._source(), data, self.model.image_size, self.seed)


def _spread(count: int) -> list[int]:
    """A few of the numbers below ``count``, evenly spaced."""
    numbers: list[int] = torch.linspace(0, count - 1, min(_PICTURE_VIDEOS, count)).long().tolist()
    return numbers
