"""How good a video model is while it is trained: its loss per noise level, and whether predictions move.

Items, noise and noise levels are always the same, so that two measurements differ by the model alone. The
published validation loss draws new ones each time and fluctuates.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace
from statistics import NormalDist, fmean
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.utils.data import default_collate

from vidrep_pipelines.models.vpp.video.config import VideoValidationConfig
from vidrep_pipelines.models.vpp.video.dataset import other_pictures
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion
from vidrep_pipelines.models.vpp.video.objective import draw_video_randomness, sigma_of, video_objective
from vidrep_pipelines.models.vpp.video.pictures import motion_ratio
from vidrep_pipelines.models.vpp.video.task import VideoTask
from vidrep_pipelines.training.update import move_to

_log = logging.getLogger(__name__)


class VideoValidation(VideoValidationConfig):
    """The measurements of a task; a :class:`~vidrep_pipelines.training.probe.Probe`."""

    of_whole_model: ClassVar[bool] = True

    task: VideoTask
    """Model and clips, on the held-out split."""

    def measure(self, encoder: VideoDiffusion) -> dict[str, float]:
        """The mean loss, the loss at every noise level, and the ratio of motion energies."""
        return {**self.losses(encoder), **self.motion(encoder)}

    @torch.no_grad()
    def losses(self, model: VideoDiffusion) -> dict[str, float]:
        """Mean loss over clips by the noise level, ``loss_sigma_2.01``, and over all, ``loss``; with text."""
        device = next(model.parameters()).device
        normals = [NormalDist().inv_cdf(quantile) for quantile in self.quantiles]
        losses: dict[float, list[Tensor]] = {normal: [] for normal in normals}
        for batch in self._batches():
            moved = move_to(batch, device)
            for normal in normals:
                losses[normal].append(self._loss(model, moved, normal))
        means = {normal: float(torch.cat(values).mean()) for normal, values in losses.items()}
        levels = {normal: float(sigma_of(torch.tensor(normal), self.task.objective)) for normal in normals}
        named = {f"loss_sigma_{levels[normal]:.3g}": mean for normal, mean in means.items()}
        return {"loss": fmean(means.values()), **named}

    def _batches(self) -> Iterator[dict[str, Any]]:
        dataset, keys = self.task.build_dataset(), self.task.fixed_items(self.items)
        for start in range(0, len(keys), self.batch_size):
            yield default_collate([dataset[key] for key in keys[start : start + self.batch_size]])

    def _loss(self, model: VideoDiffusion, batch: dict[str, Any], normal: float) -> Tensor:
        """(B,) losses with the clips' own noise, at one level."""
        latents = self.task.latents_of(batch)
        drawn = draw_video_randomness(batch["seed"], tuple(latents.shape[1:]), latents.device)
        level = torch.full_like(drawn.sigma_normal, normal)
        with_text = torch.ones_like(drawn.text_uniform)
        randomness = replace(drawn, sigma_normal=level, text_uniform=with_text)
        told, objective = (batch["ids"], batch["mask"]), self.task.objective
        outputs = video_objective(
            model, latents, *told, randomness, objective, other_camera=other_pictures(batch)
        )
        return outputs.losses.cpu()

    def motion(self, model: VideoDiffusion) -> dict[str, float]:
        """``motion_ratio``, see :func:`~vidrep_pipelines.models.vpp.video.pictures.motion_ratio`.

        Predictions that stand still are said in the log: the loss does not show them.
        """
        if not self.predicted_items:
            return {}
        shown = self.task.predict(model, self.task.fixed_items(self.predicted_items))
        ratio = motion_ratio(shown.predicted, shown.truth)
        if ratio < self.static_below:
            _log.warning(
                "vpp_video: predictions stand still: their motion energy is %.3g of the truth's. That is "
                "usual at the start. If it stays, train longer or on clips with more motion, or set "
                "adaptation.freeze_temporal.",
                ratio,
            )
        return {"motion_ratio": ratio}
