"""How good CARL is on held-out videos while it is trained: its loss, and the tasks of the release."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import default_collate

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos, read_labelled_videos
from vidrep_pipelines.evaluation.frame_embeddings.config import PhasesConfig
from vidrep_pipelines.evaluation.frame_embeddings.measurement import measure_embeddings
from vidrep_pipelines.models.carl.config import CarlValidationConfig, EmbeddingConfig
from vidrep_pipelines.models.carl.inference import TrainedCarl
from vidrep_pipelines.models.carl.model import CarlModel
from vidrep_pipelines.models.carl.task import CarlTask
from vidrep_pipelines.models.shared.effective_rank import rank_of_outputs
from vidrep_pipelines.training.task import StepInfo
from vidrep_pipelines.training.update import move_to

_TRAINED = "trained"
_STEP = StepInfo(0, 0.0, torch.Tensor.detach)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class EmbeddingArrays:
    """Embeddings in memory; a :class:`~vidrep_pipelines.evaluation.frame_embeddings.clock.FrameArrays`.

    Attributes:
        arrays: (L, D) by video.
    """

    arrays: Mapping[str, NDArray[np.float32]]

    @property
    def ids(self) -> list[str]:
        """Names of the videos."""
        return list(self.arrays)

    @property
    def content_digest(self) -> str:
        """Nothing is kept of these."""
        return ""

    def of(self, video: str) -> NDArray[np.float32]:
        """(L, D) of a video."""
        return self.arrays[video]


class CarlValidation(CarlValidationConfig):
    """The measurements of a task; a :class:`~vidrep_pipelines.training.probe.Probe`.

    Excerpts, their frames and changes of color are always the same, so that two measurements differ by the
    model alone.
    """

    of_whole_model: ClassVar[bool] = True

    task: CarlTask
    """Loss and samples, on the held-out split."""

    labels: Path
    """Folder of the index of labelled videos."""

    phases: PhasesConfig
    """Tasks of the release."""

    embedding: EmbeddingConfig
    """How videos are embedded."""

    @torch.no_grad()
    def measure(self, encoder: CarlModel) -> dict[str, float]:
        """Scores on the held-out videos.

        Args:
            encoder: The model in evaluation mode.

        Returns:
            ``loss``, and what else the objective logs; ``rankme``, how many directions the embeddings of the
            excerpts' frames use, from 1 to their width; with ``evaluate``, every measure of the tasks, and of
            a supervised model ``classifier_accuracy``: how many frames its own classifier names right.
        """
        with rank_of_outputs(encoder.head, _embeddings) as rank:
            losses = self._losses(encoder)
        return {**losses, "rankme": rank.value(), **(self._evaluated(encoder) if self.evaluate else {})}

    def _losses(self, model: CarlModel) -> dict[str, float]:
        device = next(model.parameters()).device
        dataset = self.task.build_dataset()
        sums: dict[str, float] = {}
        for start in range(0, len(dataset), self.batch_size):
            numbers = range(start, min(start + self.batch_size, len(dataset)))
            batch = move_to(default_collate([dataset[0, number] for number in numbers]), device)
            loss, metrics = self.task.loss(model, batch, _STEP)
            for name, value in {"loss": loss, **metrics}.items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(numbers)
        return {name: total / len(dataset) for name, total in sums.items()}

    def _evaluated(self, model: CarlModel) -> dict[str, float]:
        """Scores of the tasks; none, with a line in the log, where they cannot be done at all."""
        assert self.task.frame_store is not None
        labelled, store = read_labelled_videos(self.labels), FrameStore(self.task.frame_store)
        trained = TrainedCarl(model, self.task.data)
        used = labelled.table["split"].isin([self.phases.train_split, self.phases.split])
        arrays = {
            video: trained.embed(partial(store.frames, video), store.length(video), self.embedding)
            for video in labelled.table.loc[used, "id"]
        }
        config = self.phases.model_copy(update={"resamples": 1})  # values; no intervals
        device = str(next(model.parameters()).device)
        try:
            report = measure_embeddings(labelled, {_TRAINED: EmbeddingArrays(arrays)}, config, device)
        except InputError as error:
            _log.warning("carl: the tasks are not done while training. %s", error)
            return {}
        rows = report.summary[["measure", "value"]].to_dict("records")
        values = {str(row["measure"]): float(row["value"]) for row in rows}
        scores = {name: value for name, value in values.items() if math.isfinite(value)}
        if model.classifier is not None:
            scores["classifier_accuracy"] = self._classified(model, arrays, labelled)
        return scores

    def _classified(
        self, model: CarlModel, arrays: Mapping[str, NDArray[np.float32]], labelled: LabelledVideos
    ) -> float:
        """Share of the held-out labelled frames that the model's own classifier names right."""
        assert model.classifier is not None
        device = next(model.parameters()).device
        right = frames = 0
        for video in labelled.select(self.phases.split).ids:
            labels = labelled.of(video)
            logits = model.classifier(torch.from_numpy(arrays[video]).to(device))
            counted = labels >= 0
            right += int((logits.argmax(dim=-1).cpu().numpy() == labels)[counted].sum())
            frames += int(counted.sum())
        return right / max(frames, 1)


def _embeddings(given: tuple[Any, ...], embedded: torch.Tensor) -> torch.Tensor:
    """Those (N, D) of real frames: the head is told which ones are padding."""
    mask = given[1] if len(given) > 1 else None
    return embedded.flatten(0, -2) if mask is None else embedded[mask > 0]
