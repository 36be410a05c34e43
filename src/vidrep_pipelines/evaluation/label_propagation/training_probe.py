"""A quick label propagation while a model is trained."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.data.label_sequences.config import DavisConfig
from vidrep_pipelines.data.label_sequences.sequence import MaskSequence
from vidrep_pipelines.data.sample_world.clips import clip_requests
from vidrep_pipelines.data.sample_world.config import SampleWorldConfig
from vidrep_pipelines.data.sample_world.episode import render_episode, run_episode
from vidrep_pipelines.data.sample_world.label_layouts import objects_of_first_frame
from vidrep_pipelines.data.sample_world.policy import ScriptedPolicy
from vidrep_pipelines.data.sample_world.scene import draw_scene
from vidrep_pipelines.data.sources.davis import davis_sequences
from vidrep_pipelines.evaluation.bootstrap import Interval, confidence_interval, mean_over_members
from vidrep_pipelines.evaluation.encoders.transformer import TransformerEncoder
from vidrep_pipelines.evaluation.label_propagation.davis import DavisScore, SequenceScore, score_sequence
from vidrep_pipelines.evaluation.label_propagation.sequence_run import SequenceRunner
from vidrep_pipelines.evaluation.label_propagation.task_scores import SequenceAnnotations
from vidrep_pipelines.evaluation.label_propagation.training_probe_config import TrainingProbeConfig
from vidrep_pipelines.models.shared.effective_rank import rank_of_outputs

_PREFIX = 1
"""Tokens before those of the patches."""


class LabelPropagationTrainingProbe(TrainingProbeConfig):
    """J&F of a few sequences, and the rank of their patches.

    A :class:`~vidrep_pipelines.training.probe.Probe`.
    """

    def measure(self, encoder: Any) -> dict[str, float]:
        """Scores of a vision transformer as it is now, in percent; RankMe from 1 to its width.

        J&F has its 95 % interval over sequences, which for a handful of them is a rough one.

        Args:
            encoder: Images to tokens, with ``pos_embed`` and timm's ``patch_embed``, on its device.
        """
        assert isinstance(encoder, nn.Module)
        patches: Any = encoder.patch_embed
        checks_size = patches.strict_img_size
        device = next(encoder.parameters()).device
        wrapped = TransformerEncoder("probe", encoder, stride=int(patches.patch_size[0]))
        try:
            with rank_of_outputs(encoder, lambda _, tokens: tokens[:, _PREFIX:]) as rank:
                runner = SequenceRunner(wrapped, self.settings, device, self.frames_per_batch)
                score = DavisScore.of(self._scores(runner))
        finally:
            patches.strict_img_size = checks_size
        totals, interval = score.totals(), _interval(score)
        return {
            "davis_j_and_f": 100 * totals["J&F-Mean"],
            "davis_j_and_f_low": interval.low,
            "davis_j_and_f_high": interval.high,
            "davis_j": 100 * totals["J-Mean"],
            "davis_f": 100 * totals["F-Mean"],
            "rankme": rank.value(),
        }

    def _scores(self, runner: SequenceRunner) -> Iterator[SequenceScore]:
        for name, frames, labels in self._sequences():
            maps = list(runner.label_maps(frames, labels[0]))
            yield score_sequence(name, labels, maps)

    def _sequences(
        self,
    ) -> Iterator[tuple[str, NDArray[np.uint8] | list[Pixels], NDArray[np.uint8] | list[Pixels]]]:
        if self.davis is None:
            world = self.world.model_copy(
                update={"clips": self.sequences, "frames_min": self.frames, "frames_max": self.frames}
            )
            yield from _rendered(world)
            return
        release = davis_sequences(self.davis, DavisConfig(root=self.davis, protocol="native"))
        for one in release[: self.sequences]:
            sequence = MaskSequence.of_files(one.evaluated)
            count = min(self.frames, len(sequence))
            frames = [sequence.frame(index) for index in range(count)]
            yield sequence.id, frames, SequenceAnnotations(sequence)[:count]


def _interval(score: DavisScore) -> Interval:
    """J&F in percent over the objects of whole sequences, as the evaluation reports it."""
    members = [
        np.array(
            [
                50 * (region.mean + contour.mean)
                for region, contour in zip(one.region_statistics(), one.contour_statistics(), strict=True)
            ]
        )
        for one in score.sequences
    ]
    return confidence_interval(mean_over_members(members), len(members))


@lru_cache(maxsize=1)
def _rendered(world: SampleWorldConfig) -> list[tuple[str, NDArray[np.uint8], NDArray[np.uint8]]]:
    """Name, frames (T, H, W, 3) and label maps (T, H, W) of clips, rendered once in each process."""
    clips = []
    for request in clip_requests(world):
        spec = request.spec
        scene = draw_scene(spec.activity, spec.seed, world.distractors)
        policy = ScriptedPolicy(world.policy_noise)
        episode = run_episode(scene, policy, spec.frames, world.frames_per_second)
        pictures = list(render_episode(episode, world))
        frames = np.stack([picture.pixels for picture in pictures])
        masks = objects_of_first_frame(np.stack([picture.masks for picture in pictures]))
        clips.append((spec.id, frames, masks))
    return clips
