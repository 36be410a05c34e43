"""RSP for the training loop: which samples, which model, which loss, which pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from PIL.Image import Image
from torch import Tensor, nn

from vidrep_pipelines.common.config import UserPath
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.data.clips.dataset import ClipDataset
from vidrep_pipelines.data.clips.table import ClipRows
from vidrep_pipelines.data.transforms import FrameTransform, normalize
from vidrep_pipelines.data.video.items import INDEX_SUFFIX
from vidrep_pipelines.data.video.packet_store import PacketStore
from vidrep_pipelines.models.rsp.checkpoint_io import load_into, load_original
from vidrep_pipelines.models.rsp.config import RspDataConfig, RspModelConfig, RspObjectiveConfig
from vidrep_pipelines.models.rsp.model import RspModel
from vidrep_pipelines.models.rsp.objective import draw_randomness, rsp_objective
from vidrep_pipelines.models.rsp.pictures import prediction_sheet
from vidrep_pipelines.training.system_task import SystemTask
from vidrep_pipelines.training.task import Batch, Metrics, StepInfo

_PICTURE_EXAMPLES = 4


class RspTask(SystemTask[RspModel]):
    """All that the training loop needs to know about RSP; a :class:`~vidrep_pipelines.training.task.Task`."""

    name: ClassVar[str] = "rsp"
    name_in_digests: ClassVar[str] = "vidrep_pipelines.models.rsp.task:RspTask"
    not_science: ClassVar[dict[str, Any]] = {
        "clip_table": True,
        "videos": True,
        "packet_store": True,
        "initialize_from": True,
        "objective": {"prior_decode_every"},  # only logged
    }

    clip_table: Path
    """Table of clips, as ``data.clips.table.snapshot`` writes it."""

    videos: Path
    """Folder that the clips' paths are relative to."""

    packet_store: Path | None = None
    """Folder with the packet indices of all clips. None: each clip's own index, or one made on demand."""

    data: RspDataConfig
    """How frame pairs are drawn and cropped."""

    model: RspModelConfig
    """The architecture."""

    objective: RspObjectiveConfig
    """The loss."""

    initialize_from: UserPath | None = None
    """Weights to start from, a checkpoint in the original layout. None: random initialization."""

    @property
    def samples_per_item(self) -> int:
        """Pairs drawn from each opened clip: the published epochs and warm-up are divided by it."""
        return self.data.sampling.pairs_per_clip

    def files_that_count(self) -> dict[str, Path | None]:
        """Weights to start from."""
        return {"initialize_from": self.initialize_from}

    def build_model(self) -> RspModel:
        """The model, at its random initialization or from ``initialize_from``.

        Raises:
            InputError: ``initialize_from`` cannot be read or belongs to another architecture.
        """
        model = RspModel(self.model)
        if self.initialize_from is not None:
            load_into(model, load_original(self.initialize_from), str(self.initialize_from))
        return model

    def build_dataset(self) -> ClipDataset:
        """Frame pairs: ``frames`` (R, 2, 3, S, S) uint8, source first, and one noise seed for each pair."""
        transform = FrameTransform(
            size=self.model.image_size,
            scale=self.data.crop_scale,
            ratio=self.data.crop_ratio,
            flip_probability=self.data.flip_probability,
            exact=self.data.exact_resize,
        )
        return ClipDataset(
            ClipRows(self.clip_table),
            self.videos,
            self.data.sampling,
            transform,
            seed=self.seed,
            index_suffix=INDEX_SUFFIX,
            packet_store=None if self.packet_store is None else PacketStore(self.packet_store),
        )

    def item_names(self, indices: Sequence[int]) -> list[str]:
        """Clip ids, for error messages."""
        clips = ClipRows(self.clip_table)
        return [clips.id(index) for index in indices]

    def shard_units(self, model: RspModel) -> list[nn.Module]:
        """The transformer blocks."""
        return [*model.encoder.blocks, *model.decoder.blocks]

    def loss(self, model: RspModel, batch: Batch, step: StepInfo) -> tuple[Tensor, Metrics]:
        """The loss of a batch of pairs: frames (B, R, 2, 3, S, S) uint8, seed (B, R)."""
        source, target = normalize(batch["frames"].flatten(0, 1)).unbind(1)
        outputs = rsp_objective(
            model,
            source,
            target,
            draw_randomness(batch["seed"].flatten(), self.model, source.device),
            self.objective,
            decode_prior=self.objective.decodes_prior(step.step),
            mean_across_ranks=step.mean_across_ranks,
        )
        return outputs.loss, outputs.metrics()

    def image_encoder(self, model: RspModel) -> nn.Module:
        """The part of the model that is kept, for a probe: images (B, 3, H, W) to tokens (B, 1 + L, E)."""
        return model.encoder

    def pictures(self, model: RspModel) -> dict[str, Image]:
        """What the model predicts for a few pairs that never change."""
        return {"predictions": self.predictions_picture(model)}

    def predictions_picture(self, model: RspModel) -> Image:
        """Source, target, predictions and reconstruction of pairs from clips spread over the data set."""
        dataset = self.build_dataset()
        count = min(_PICTURE_EXAMPLES, len(dataset))
        spread = torch.linspace(0, len(dataset) - 1, count).long().tolist()
        frames = torch.stack([dataset[0, index]["frames"][0] for index in spread])
        source, target = normalize(frames).to(next(model.parameters()).device).unbind(1)
        seeds = torch.tensor([seed_for("pictures", self.seed, index) for index in spread])
        return prediction_sheet(model, source, target, self.objective, seeds)
