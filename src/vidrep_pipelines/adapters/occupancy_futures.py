"""Futures that an occupancy model samples, as pictures beside what happened."""

from typing import Any

import numpy as np
from PIL.Image import Image

from vidrep_pipelines.adapters.occupancy import discount_of, load_model, split_of
from vidrep_pipelines.common.arrays import FloatArray, IntArray, Pixels
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.token_episodes.episodes import TokenEpisodes
from vidrep_pipelines.evaluation.occupancy.config import FuturesConfig
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.voc.inference import (
    DecodedStates,
    Depiction,
    NearestStates,
    OccupancyPredictor,
    RetrievedStates,
    eventful_contexts,
    roll_out,
    steps_per_jump,
)
from vidrep_pipelines.models.voc.model import VocModel
from vidrep_pipelines.models.voc.tokenizers.inference import DecodingTokenizer, Tokenizer, checkpoint_source
from vidrep_pipelines.reporting.occupancy_futures import ShownFuture, futures_film, futures_grid
from vidrep_pipelines.training.config import LaunchConfig
from vidrep_pipelines.training.distributed import choose_device

_TRAINING_SPLIT = "train"


def future_pictures(
    checkpoint: Checkpoint,
    spec: dict[str, Any],
    tokens: TokenEpisodes,
    store: FrameStore,
    tokenizer: Checkpoint,
    config: FuturesConfig,
    launch: LaunchConfig,
) -> tuple[Image, Pixels]:
    """Sampled futures of held-out states beside what happened: still, and as frames (T, H, W, 3).

    Args:
        checkpoint: The model.
        spec: The specification of the run that trained it.
        tokens: All episodes.
        store: Their frames.
        tokenizer: What made the tokens.
        config: Which futures are shown.
        launch: Says on which device.

    Raises:
        InputError: Model, tokens and tokenizer do not belong together, or no episode is long enough.
        ConfigurationError: Tokens and model differ in size.
    """
    gamma, model = discount_of(spec), load_model(checkpoint, tokens, launch)
    loaded = checkpoint_source(tokenizer.config, tokenizer.weights).load(choose_device(launch))
    sampler = FutureSampler(model, gamma, tokens, store, loaded)
    futures, steps = sampler.sample(config), steps_per_jump(gamma)
    return futures_grid(futures, steps, sampler.depiction.title), futures_film(futures, steps)


class FutureSampler:
    """Samples futures of held-out states and shows them.

    Args:
        model: The model in evaluation mode.
        gamma: The model's discount.
        tokens: All episodes.
        store: Their frames.
        tokenizer: What made the tokens.

    Raises:
        InputError: The tokens are not this tokenizer's.
    """

    def __init__(
        self, model: VocModel, gamma: float, tokens: TokenEpisodes, store: FrameStore, tokenizer: Tokenizer
    ) -> None:
        self._model, self._gamma, self._tokens, self._store = model, gamma, tokens, store
        self._frame_stack = model.config.frame_stack
        self._known = NearestStates(tokens.in_split(_TRAINING_SPLIT), self._frame_stack)
        _check_codebook(tokenizer, tokens)
        self.depiction: Depiction
        if isinstance(tokenizer, DecodingTokenizer):
            self.depiction = DecodedStates(tokenizer, self._frame_stack)
        else:
            self.depiction = RetrievedStates(self._known, store, self._frame_stack)

    def sample(self, config: FuturesConfig) -> list[ShownFuture]:
        """The futures of some states.

        Raises:
            InputError: The split is empty, or none of its episodes is long enough.
        """
        episodes = split_of(self._tokens, config.split, "occupancy_futures.split")
        horizon = config.jumps * steps_per_jump(self._gamma)
        places = eventful_contexts(episodes, horizon, config.contexts)
        states = episodes.states(places[:, 0], places[:, 1], self._frame_stack)
        conditioned = self._model.config.gpt.action_dimension is not None
        behavior = self._known.actions if conditioned else None
        predictor = OccupancyPredictor(self._model)
        chains = roll_out(predictor, states, config.samples, config.jumps, config.seed, behavior)
        many = roll_out(predictor, states, config.mean_samples, 1, config.seed, behavior)[:, :, 0]
        return [
            self._shown(episodes.names[episode], step, horizon, *arrays)
            for (episode, step), *arrays in zip(places.tolist(), states, chains, many, strict=True)
        ]

    def _shown(
        self, name: str, step: int, horizon: int, state: IntArray, chains: IntArray, many: IntArray
    ) -> ShownFuture:
        """The future of a state (T,), S chains (S, K, T) and samples (M, T) of its discounted future."""
        rest = self._store.frames(name, slice(step, None))
        flat, jumps = chains.reshape(-1, chains.shape[-1]), chains.shape[1]
        frames, captions = self.depiction.frames(flat), self.depiction.captions(flat)
        return ShownFuture(
            name=name,
            step=step,
            truth=rest[: horizon + 1],
            context=self.depiction.frames(state[None])[0, -1],
            samples=frames.reshape(*chains.shape[:2], *frames.shape[1:]),
            captions=[captions[first : first + jumps] for first in range(0, len(captions), jumps)],
            mean_truth=_mean(rest[1:], np.power(self._gamma, np.arange(len(rest) - 1))),
            mean_sample=_mean(self.depiction.frames(many)[:, -1], np.ones(len(many))),
        )


def _check_codebook(tokenizer: Tokenizer, tokens: TokenEpisodes) -> None:
    codebook = tokenizer.codebook.detach().float().cpu().numpy()
    if tokens.codebook is not None and not np.array_equal(codebook, tokens.codebook):
        raise InputError(
            "Tokenizer and tokens do not belong together: the codebooks differ. Remedy: extract the tokens "
            "again with this tokenizer, and train the occupancy model on them."
        )


def _mean(frames: Pixels, weights: FloatArray) -> Pixels:
    """The weighted mean of frames (n, H, W, 3)."""
    mean = np.tensordot(weights / weights.sum(), frames.astype(np.float64), axes=1)
    return np.asarray(mean.round(), np.uint8)
