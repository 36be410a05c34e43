"""Training samples of joint training: frames of a state, of the one that follows, and of a target."""

from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from torch.utils.data import Dataset

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.data.clips.dataset import Sample
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.voc.config import TargetConfig
from vidrep_pipelines.models.voc.dataset import FutureDraws
from vidrep_pipelines.models.voc.joint.config import JointConfig


class JointSamples(Dataset[Sample]):
    """Every step of every episode of a store as a context, numbered through.

    Args:
        folder: The store.
        split: Part of it that is used.
        model: What a state is, and the largest move of its frames.
        target: Which state of the future goes with a context.
        seed: The run's seed.

    Raises:
        InputError: There is no finished store, or an episode has no rewards.
        ConfigurationError: There is no such split, the episodes are too short, or actions have another size.
    """

    def __init__(self, folder: Path, split: str, model: JointConfig, target: TargetConfig, seed: int) -> None:
        self._store = FrameStore(folder).select(split)
        self._model, self._target, self._seed = model, target, seed
        self._check_outcomes()
        acts = model.occupancy.gpt.action_dimension is not None
        self._draws = FutureDraws(self._store.index.lengths - 1, target, seed, acts=acts)

    def _check_outcomes(self) -> None:
        wanted = self._model.occupancy.gpt.action_dimension
        for view in self._store.ids:
            steps = self._store.length(view) - 1
            outcomes, actions = self._store.outcomes(view), self._store.actions(view)
            if len(outcomes) != steps or not np.isfinite(outcomes).all():
                raise InputError(
                    f"{self._store.folder}: {view} lacks rewards for its {steps} steps, or some are not "
                    "finite numbers. Remedy: a source that knows rewards: ingest_dmc, or a replay buffer."
                )
            if wanted is not None and actions.shape != (steps, wanted):
                raise ConfigurationError(
                    f"{self._store.folder}: the actions of {view} are {actions.shape}, the model is "
                    f"conditioned on {(steps, wanted)}. Remedy: set model.occupancy.gpt.action_dimension."
                )

    def __len__(self) -> int:
        return len(self._draws)

    def name(self, index: int) -> str:
        """Episode and step of a context, for messages."""
        episode, step = self._draws.place(index)
        return f"{self._store.ids[episode]}, step {step}"

    def __getitem__(self, position: tuple[int, int]) -> Sample:
        """The sample at ``(epoch, index)``.

        Returns:
            ``frames`` (3, frame_stack, 3, H, W) uint8 of context, following state and target, not moved yet;
            ``offsets`` (2,) int64, one move for all of them; ``reward``, ``bootstrap``, ``seed``, ``index``;
            ``action`` (A,) and ``target_action`` (A,) if the model is conditioned on actions.
        """
        epoch, index = map(int, position)
        drawn = self._draws.draw(epoch, index)
        view = self._store.ids[drawn.episode]
        back = np.arange(self._model.occupancy.frame_stack - 1, -1, -1)
        ranks = np.maximum(drawn.steps[:, None] - back, 0)
        frames = self._store.frames_at(drawn.episode, ranks.reshape(-1))
        frames = rearrange(frames, "(n f) h w c -> n f c h w", f=ranks.shape[1])
        largest = 2 * self._model.tokenizer.pixels.shift
        move = generator_for(self._seed, epoch, index, "move").integers(0, largest + 1, size=2)
        sample: Sample = {
            "frames": torch.from_numpy(np.ascontiguousarray(frames)),
            "offsets": torch.from_numpy(move),
            "reward": np.float32(self._store.outcomes(view)[drawn.step, 0]),
            "bootstrap": drawn.bootstrap,
            "seed": drawn.seed,
            "index": index,
        }
        if self._model.occupancy.gpt.action_dimension is not None:
            actions = self._store.actions(view)
            sample["action"] = torch.from_numpy(actions[drawn.step])
            if self._target.bootstraps:
                sample["target_action"] = torch.from_numpy(actions[drawn.step + drawn.offset])
        return sample
