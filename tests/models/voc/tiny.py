"""Episodes and models so small that everything is instant."""

from typing import Any

import numpy as np

from vidrep_pipelines.data.token_episodes.episodes import TokenEpisodes
from vidrep_pipelines.models.voc.config import GptConfig, RewardConfig, VocModelConfig

VOCABULARY, CODE, ACTIONS, STACK = 11, 3, 2, 2
GRID = (1, 2)


def make_config(*, actions: bool = False, reward: bool = True, dropout: float = 0.0) -> VocModelConfig:
    gpt = GptConfig(
        vocabulary=VOCABULARY,
        positions=8,
        layers=2,
        heads=2,
        width=16,
        residual_dropout=dropout,
        embedding_dropout=dropout,
        attention_dropout=dropout,
        action_dimension=ACTIONS if actions else None,
    )
    head = RewardConfig(codebook_dimension=CODE, width=8) if reward else None
    return VocModelConfig(gpt=gpt, frame_stack=STACK, grid=GRID, reward=head)


def make_episodes(lengths: tuple[int, ...] = (5, 3, 9), seed: int = 0, **changed: Any) -> TokenEpisodes:
    """Random tokens; the reward of a row is its number, so that it is known where it came from."""
    rng = np.random.default_rng(seed)
    rows = sum(lengths) + len(lengths)
    fields: dict[str, Any] = {
        "codes": rng.integers(VOCABULARY, size=(rows, GRID[0] * GRID[1])).astype(np.int16),
        "actions": rng.uniform(-1, 1, (rows, ACTIONS)).astype(np.float32),
        "rewards": np.arange(rows, dtype=np.float32),
        "discounts": np.ones(rows, np.float32),
        "offsets": np.cumsum([0, *(length + 1 for length in lengths)]),
        "names": tuple(f"run_{number}" for number in range(len(lengths))),
        "splits": ("train",) * (len(lengths) - 1) + ("validation",),
        "grid": GRID,
        "vocabulary": VOCABULARY,
        "codebook": rng.standard_normal((VOCABULARY, CODE)).astype(np.float32),
    }
    return TokenEpisodes(**{**fields, **changed})
