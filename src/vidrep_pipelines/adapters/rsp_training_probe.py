"""How RSP is doing while it is trained: label propagation by its encoder, and how open it finds futures."""

from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from vidrep_pipelines.common.seeds import generator_for, seed_for
from vidrep_pipelines.data.sample_world.clips import clip_requests
from vidrep_pipelines.data.sample_world.episode import render_some_frames, run_episode
from vidrep_pipelines.data.sample_world.policy import ScriptedPolicy
from vidrep_pipelines.data.sample_world.scene import draw_scene
from vidrep_pipelines.data.transforms import FrameTransform, normalize
from vidrep_pipelines.evaluation.bootstrap import confidence_interval, mean_over_members
from vidrep_pipelines.evaluation.label_propagation.training_probe import LabelPropagationTrainingProbe
from vidrep_pipelines.models.rsp.config import RspDataConfig, RspFuturesConfig, RspObjectiveConfig
from vidrep_pipelines.models.rsp.futures import FutureErrors, future_errors, predicted_futures
from vidrep_pipelines.models.rsp.model import RspModel

_GRAY_LEVELS = 255
_PAIRS_AT_ONCE = 32


class RspTrainingProbe(LabelPropagationTrainingProbe):
    """Both measurements of an RSP; a :class:`~vidrep_pipelines.training.probe.Probe`.

    Pairs, crops and draws are always the same: two measurements differ by the model alone.
    """

    of_whole_model: ClassVar[bool] = True

    futures: RspFuturesConfig = RspFuturesConfig()
    """Which clips the futures are those of."""

    data: RspDataConfig = RspDataConfig()
    """How pairs are drawn and cropped: as in training."""

    objective: RspObjectiveConfig = RspObjectiveConfig()
    """Noise and kind of targets of the training."""

    def measure(self, encoder: Any) -> dict[str, float]:
        """Scores of label propagation and, with ``futures.clips``, of futures.

        Args:
            encoder: The model in evaluation mode.

        Returns:
            What label propagation gives, and in gray levels of 255: ``posterior_error``, ``prior_error``,
            ``copied_error`` (the source taken for the target), ``latent_gain`` (prior's error less
            posterior's) with its 95 % interval over clips, ``samples_apart_moving`` and
            ``samples_apart_still`` (difference between the prior's samples where the pair differs, and
            elsewhere); ``future_kl`` in nats.
        """
        assert isinstance(encoder, RspModel)
        scores = super().measure(encoder.encoder)
        return scores if self.futures.clips == 0 else {**scores, **self._futures(encoder)}

    def _futures(self, model: RspModel) -> dict[str, float]:
        pairs = unseen_pairs(self.futures, self.data, model.config.image_size)
        batches = zip(*(torch.split(column, _PAIRS_AT_ONCE) for column in pairs), strict=True)
        parts = [self._errors(model, frames, seeds) for frames, seeds in batches]

        def column(name: str) -> Tensor:
            values: Tensor = torch.cat([getattr(part, name) for part in parts]).double().cpu()
            return values

        def gray(values: Tensor) -> float:
            return _GRAY_LEVELS * float(values.nanmean())

        gain = _GRAY_LEVELS * (column("prior") - column("posterior"))
        interval = confidence_interval(
            mean_over_members(list(gain.reshape(self.futures.clips, -1).numpy())), self.futures.clips
        )
        return {
            "posterior_error": gray(column("posterior")),
            "prior_error": gray(column("prior")),
            "copied_error": gray(column("copied")),
            "latent_gain": interval.value,
            "latent_gain_low": interval.low,
            "latent_gain_high": interval.high,
            "samples_apart_moving": gray(column("moving")),
            "samples_apart_still": gray(column("still")),
            "future_kl": float(column("kl").mean()),
        }

    def _errors(self, model: RspModel, frames: Tensor, seeds: Tensor) -> FutureErrors:
        source, target = normalize(frames).to(next(model.parameters()).device).unbind(1)
        predicted = predicted_futures(model, source, target, self.objective, seeds)
        return future_errors(predicted, source, target)


@lru_cache(maxsize=1)
def unseen_pairs(futures: RspFuturesConfig, data: RspDataConfig, size: int) -> tuple[Tensor, Tensor]:
    """Frame pairs as training draws them, from clips rendered in memory once in each process.

    Only the frames that are shown are drawn, hence no file is written and none is read.

    Args:
        futures: How many clips of which world.
        data: How pairs are drawn and cropped.
        size: Side of the crops in pixels.

    Returns:
        Frames (clips * pairs_per_clip, 2, 3, size, size) uint8, source first, the pairs of a clip together;
        a seed for the noise of each.
    """
    transform = FrameTransform(
        size=size,
        scale=data.crop_scale,
        ratio=data.crop_ratio,
        flip_probability=data.flip_probability,
        exact=data.exact_resize,
    )
    world = futures.world.model_copy(update={"clips": futures.clips})
    pairs, seeds = [], []
    for number, request in enumerate(clip_requests(world)):
        spec = request.spec
        scene = draw_scene(spec.activity, spec.seed, world.distractors)
        policy = ScriptedPolicy(world.policy_noise)
        episode = run_episode(scene, policy, spec.frames, world.frames_per_second)
        rng = generator_for("futures", spec.seed)
        for place, ranks in enumerate(data.sampling(spec.frames, rng)):
            frames = np.stack([one.pixels for one in render_some_frames(episode, world, ranks.tolist())])
            pairs.append(transform(frames, rng))
            seeds.append(seed_for("futures", number, place))
    return torch.stack(pairs), torch.tensor(seeds)
