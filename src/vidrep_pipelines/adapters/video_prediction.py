"""A trained video model as the evaluation of predicted videos sees it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.evaluation.video_prediction.clips import ClipRule, PredictedClips
from vidrep_pipelines.evaluation.video_prediction.config import VideoEvaluationConfig
from vidrep_pipelines.evaluation.video_prediction.kept_measures import KeptVideoMeasures
from vidrep_pipelines.evaluation.video_prediction.measurement import VideoMeasures, measure_videos
from vidrep_pipelines.evaluation.video_prediction.system import MODEL, WITHOUT_TEXT, MeasuredSystem
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.video.config import VideoObjectiveConfig, VideoSamplingConfig
from vidrep_pipelines.models.vpp.video.inference import VideoPredictor
from vidrep_pipelines.models.vpp.video.mixture import MixtureConfig
from vidrep_pipelines.models.vpp.video.objective import (
    VideoRandomness,
    draw_video_randomness,
    normal_of,
    sigma_of,
    video_objective,
)
from vidrep_pipelines.models.vpp.video.sampling import draw_video_noise, sample_video
from vidrep_pipelines.models.vpp.video.task import VideoTask
from vidrep_pipelines.training.config import LaunchConfig
from vidrep_pipelines.training.distributed import choose_device

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainedVideo:
    """A trained video model with all that tells how it is used; nothing is loaded yet.

    Attributes:
        checkpoint: The model.
        codec: What makes latents of frames and frames of latents.
        task: The task that trained it: clips, mixture, loss.
        sampling: How videos are sampled.
    """

    checkpoint: Checkpoint
    codec: Checkpoint
    task: VideoTask
    sampling: VideoSamplingConfig

    @classmethod
    def of(
        cls, checkpoint: Checkpoint, spec: dict[str, Any], codec: Checkpoint, sampling: VideoSamplingConfig
    ) -> "TrainedVideo":
        """Joins what the catalog has; ``spec`` is the specification of the run that trained the model."""
        return cls(checkpoint, codec, VideoTask.model_validate(spec["task_config"]), sampling)

    @property
    def digest(self) -> str:
        """Changes with the weights, the codec, the loss and the sampling."""
        return digest_of(self.checkpoint.digest, self.codec.digest, self.task.objective, self.sampling)

    def load(self, device: torch.device) -> VideoPredictor:
        """The model, ready for use.

        Raises:
            InputError: A checkpoint is damaged, or they do not belong together.
        """
        return VideoPredictor.load(self.checkpoint.directory, self.codec.directory, device)

    def system(self, device: torch.device, noise_levels: int) -> MeasuredSystem:
        """The model as the evaluation sees it."""
        return measured_system(self, self.load(device), noise_levels)


def measured_system(trained: TrainedVideo, predictor: VideoPredictor, noise_levels: int) -> MeasuredSystem:
    """Plain functions around a model.

    Args:
        trained: Says how videos are sampled, and which loss is measured.
        predictor: The model.
        noise_levels: How many noise levels the loss is measured at.

    Raises:
        ConfigurationError: The model looks at another camera, too.
    """
    require_words_alone(trained.task)
    objective = trained.task.objective
    levels = middle_noise_levels(objective, noise_levels)
    functions = _PredictorFunctions(predictor, objective, trained.sampling, levels)
    return MeasuredSystem(
        digest=trained.digest,
        frames=predictor.frames,
        predict=functions.predict,
        predict_without_text=functions.predict_without_text,
        round_trip=functions.round_trip,
        noise_losses=functions.noise_losses,
        noise_levels=tuple(levels.tolist()),
    )


def require_words_alone(task: VideoTask) -> None:
    """Checks that a model needs nothing beside a first frame and an instruction.

    Raises:
        ConfigurationError: It looks at another camera's first frame.
    """
    if task.model.text.image is not None:
        raise ConfigurationError(
            "The video model looks at another camera's first frame as well (vpp_video.model.text.image), and "
            "predictions and their evaluation give it one camera. Remedy: train with text.image: null and "
            "text.duplicate: true, or call VideoPredictor.predict with pictures of the other camera."
        )


def middle_noise_levels(objective: VideoObjectiveConfig, count: int) -> Tensor:
    """(count,) noise levels: the medians of equally probable parts of those that training draws."""
    normals = [NormalDist().inv_cdf((number + 0.5) / count) for number in range(count)]
    return sigma_of(torch.tensor(normals), objective)


@dataclass(frozen=True)
class _PredictorFunctions:
    predictor: VideoPredictor
    objective: VideoObjectiveConfig
    sampling: VideoSamplingConfig
    levels: Tensor

    def predict(self, first: Tensor, texts: Sequence[str], seeds: Sequence[int]) -> Tensor:
        return self.predictor.predict(first, texts, seeds, self.sampling)

    def predict_without_text(self, first: Tensor, texts: Sequence[str], seeds: Sequence[int]) -> Tensor:
        """From the same noise, with zeros in place of the text, as in training where it is left out."""
        predictor = self.predictor
        start = predictor.encode(first)
        noise = draw_video_noise(seeds, (predictor.frames, *start.shape[1:]), start.device)
        text = torch.zeros_like(predictor.model.encode_text(*self._told(texts)))
        plain = self.sampling.model_copy(update={"guidance": 1.0})
        return predictor.decode(sample_video(predictor.model, start, text, noise, plain))

    def round_trip(self, pictures: Tensor) -> Tensor:
        return self.predictor.decode(self.predictor.encode(pictures)[:, None])[:, 0]

    def noise_losses(
        self, videos: Tensor, texts: Sequence[str], seeds: Sequence[int]
    ) -> Mapping[str, Tensor]:
        flat = self.predictor.encode(videos.flatten(0, 1))
        latents = flat.reshape(*videos.shape[:2], *flat.shape[1:])
        told = self._told(texts)
        drawn = draw_video_randomness(torch.tensor(seeds), tuple(latents.shape[1:]), latents.device)
        return {MODEL: self._losses(latents, told, drawn.noise, 1.0),
                WITHOUT_TEXT: self._losses(latents, told, drawn.noise, -1.0)}  # fmt: skip

    def _losses(self, latents: Tensor, told: tuple[Tensor, Tensor], noise: Tensor, uniform: float) -> Tensor:
        """(N, Q); the instruction is left out where ``uniform`` is below the dropout."""
        columns = []
        for normal in normal_of(self.levels, self.objective).tolist():
            each = latents.new_full((len(latents),), 1.0)
            randomness = VideoRandomness(uniform * each, normal * each, noise)
            outputs = video_objective(self.predictor.model, latents, *told, randomness, self.objective)
            columns.append(outputs.losses)
        return torch.stack(columns, dim=1)

    def _told(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        ids, mask = self.predictor.tokenizer(texts)
        return ids.to(self.predictor.device), mask.to(self.predictor.device)


def clip_rule(task: VideoTask) -> ClipRule:
    """How the model's training cuts episodes: the clip in the middle of those of an episode.

    A data set that was not trained on is cut as the one whose name its own begins with (``tabletop_held_out``
    as ``tabletop``), or else as published.
    """

    def frames_of(data_set: str, length: int) -> NDArray[np.int64] | None:
        rule = task.mixture.rule(trained_name(task.mixture, data_set))
        clips = int(rule.counts(np.array([length]))[0])
        return rule.frame_ids(length, clips // 2, task.clips.frames) if clips else None

    return frames_of


def trained_name(mixture: MixtureConfig, data_set: str) -> str:
    """The data set of the mixture whose name is the longest beginning of this one's; itself if none is."""
    return max((name for name in mixture.shares if data_set.startswith(name)), key=len, default=data_set)


def measured_videos(
    trained: TrainedVideo,
    store: FrameStore,
    config: VideoEvaluationConfig,
    launch: LaunchConfig,
    folder: Path,
) -> VideoMeasures:
    """Predicts and measures clips; what was measured before is read again.

    Args:
        trained: The model.
        store: The frames.
        config: Which clips, and how they are measured.
        launch: Says on which device.
        folder: Of all kept measures.

    Raises:
        InputError: No clip can be predicted, frames are of another size than the model's, or checkpoints do
            not belong together.
        ConfigurationError: There is no such split or data set.
    """
    clips = PredictedClips.of(store, config, clip_rule(trained.task))
    kept = KeptVideoMeasures.of(folder, trained.digest, clips.digest, config)
    measures = kept.load()
    if measures is None:
        device = choose_device(launch)
        measures = measure_videos(clips, trained.system(device, config.noise_levels), config, device)
        kept.save(measures)
    else:
        _log.info("video prediction: up to date (%d clips)", len(clips))
        for line in measures.skipped:
            _log.warning("%s", line)
    return measures


def facts_of_run(
    checkpoint: Checkpoint,
    spec: dict[str, Any],
    sampling: VideoSamplingConfig,
    evaluation: VideoEvaluationConfig,
) -> dict[str, Any]:
    """What a record says of a run: which training, which recipe apart from the seed, how it was measured."""
    task = VideoTask.model_validate(spec["task_config"])
    training = {**spec["train"], "seed": None}
    settings = digest_of(sampling, evaluation.model_dump(mode="json", exclude={"batch_size", "metrics"}))
    digest = str(checkpoint.meta["digest"])
    return {
        "run": f"{digest}_{settings}",
        "training": digest,
        "recipe": digest_of({**task.science(), "seed": None}, training),
        "settings": settings,
        "seed": task.seed,
        "step": checkpoint.meta.get("step"),
        "split": evaluation.split,
        "guidance": sampling.guidance,
        "steps": sampling.steps,
    }
