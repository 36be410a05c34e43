"""Episodes as tokens: what the occupancy model is trained on, a few dozen bytes per step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError

LARGEST_VOCABULARY = 2**15
ARRAYS = ("codes", "actions", "rewards", "discounts", "offsets")
"""Names of the arrays with a row per frame or per episode."""


@dataclass(frozen=True, eq=False)
class TokenEpisodes:
    """Rows of all episodes, one after the other.

    A row is a frame with the action that led to it and that action's reward; an episode of L steps has L + 1
    rows, the first of which carries no action and no reward. The state at step t is the stack of the frames
    up to row t, with the first frame repeated at the beginning; the action taken in it and its reward are in
    row t + 1.

    Attributes:
        codes: (N, h * w) int16, row-major.
        actions: (N, A) float32.
        rewards: (N,) float32.
        discounts: (N,) float32: 0 where the episode ended for good, else 1.
        offsets: (E + 1,) int64, first row of each episode and the end.
        names: E names.
        splits: E names of parts, for example ``train``.
        grid: h and w.
        vocabulary: Codes that the tokenizer has.
        codebook: (V, D) float32 vectors of the codes, or none.

    Raises:
        InputError: The parts do not fit together, a code is not in the vocabulary, or an action or reward is
            not a finite number. The message names the episode.
    """

    codes: NDArray[np.int16]
    actions: NDArray[np.float32]
    rewards: NDArray[np.float32]
    discounts: NDArray[np.float32]
    offsets: NDArray[np.int64]
    names: tuple[str, ...]
    splits: tuple[str, ...]
    grid: tuple[int, int]
    vocabulary: int
    codebook: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        self._check_sizes()
        self._check_rows(np.any(self._unknown_codes(), axis=1), self._code_problem)
        self._check_rows(
            np.isnan(self.actions - self.actions).any(axis=1), "an action that is not a finite number"
        )
        self._check_rows(~np.isfinite(self.rewards), "a missing or infinite reward")

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(E,) steps L of the episodes."""
        return np.diff(self.offsets) - 1

    @property
    def bytes_per_row(self) -> float:
        """Memory of a row on the average."""
        arrays = (self.codes, self.actions, self.rewards, self.discounts, self.offsets)
        return sum(array.nbytes for array in arrays) / max(len(self.codes), 1)

    def states(
        self, episode: NDArray[np.int64], step: NDArray[np.int64], frame_stack: int
    ) -> NDArray[np.int64]:
        """States (n, frame_stack * h * w) at steps (n,) of episodes (n,); steps from 0 to L."""
        back = np.arange(frame_stack - 1, -1, -1)
        rows = self.offsets[episode][:, None] + np.maximum(step[:, None] - back, 0)
        states: NDArray[np.int64] = self.codes[rows].reshape(len(rows), -1).astype(np.int64)
        return states

    def outcome_rows(self, episode: NDArray[np.int64], step: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows (n,) with the action taken at a step, its reward and discount; steps from 0 to L - 1."""
        rows: NDArray[np.int64] = self.offsets[episode] + step + 1
        return rows

    def states_of(self, episode: int, frame_stack: int) -> NDArray[np.int64]:
        """All states (L + 1, frame_stack * h * w) of an episode."""
        steps = np.arange(self.lengths[episode] + 1)
        return self.states(np.full(len(steps), episode), steps, frame_stack)

    def outcomes_of(self, episode: int) -> slice:
        """Rows of an episode with the L actions taken in its states and their rewards."""
        return slice(int(self.offsets[episode]) + 1, int(self.offsets[episode + 1]))

    def discounted_return(self, episode: int, step: int, gamma: float, horizon: int | None = None) -> float:
        """Discounted rewards from a step on, to the episode's end or of ``horizon`` steps."""
        start, stop = int(self.offsets[episode]) + step + 1, int(self.offsets[episode + 1])
        rewards = self.rewards[start : stop if horizon is None else min(start + horizon, stop)]
        return float(rewards.astype(np.float64) @ gamma ** np.arange(len(rewards)))

    def code_frequencies(self) -> NDArray[np.float64]:
        """(h * w, V): the share of the frames in which each code is at each place of the grid."""
        counts = [np.bincount(place, minlength=self.vocabulary) for place in self.codes.T]
        frequencies: NDArray[np.float64] = np.stack(counts) / len(self.codes)
        return frequencies

    def equals(self, other: "TokenEpisodes") -> bool:
        """Whether the other ones are the same in every respect."""
        return (
            all(np.array_equal(getattr(self, name), getattr(other, name)) for name in ARRAYS)
            and (self.names, self.splits) == (other.names, other.splits)
            and _kind(self) == _kind(other)
            and _same_codebook(self, other)
        )

    def in_split(self, split: str) -> "TokenEpisodes":
        """Only the episodes of a part.

        Raises:
            InputError: There are none.
        """
        numbers = [number for number, part in enumerate(self.splits) if part == split]
        if not numbers:
            known = ", ".join(sorted(set(self.splits)))
            raise InputError(f"No episode belongs to the split {split!r}; there are: {known}.")
        return self.select(numbers)

    def select(self, episodes: Sequence[int]) -> "TokenEpisodes":
        """Only some episodes, by number."""
        bounds = [(self.offsets[number], self.offsets[number + 1]) for number in episodes]
        rows = np.concatenate([np.arange(start, stop) for start, stop in bounds])
        return TokenEpisodes(
            codes=self.codes[rows],
            actions=self.actions[rows],
            rewards=self.rewards[rows],
            discounts=self.discounts[rows],
            offsets=np.cumsum([0, *(stop - start for start, stop in bounds)], dtype=np.int64),
            names=tuple(self.names[number] for number in episodes),
            splits=tuple(self.splits[number] for number in episodes),
            grid=self.grid,
            vocabulary=self.vocabulary,
            codebook=self.codebook,
        )

    def _check_sizes(self) -> None:
        rows, episodes = len(self.codes), len(self.names)
        sizes: dict[str, tuple[Any, Any]] = {
            "tokens of a frame": (self.codes.shape[1:], (self.grid[0] * self.grid[1],)),
            "actions": (len(self.actions), rows),
            "rewards": (len(self.rewards), rows),
            "discounts": (len(self.discounts), rows),
            "rows of all episodes": (int(self.offsets[-1]), rows),
            "episode offsets": (len(self.offsets), episodes + 1),
            "splits": (len(self.splits), episodes),
        }
        for what, (actual, expected) in sizes.items():
            if actual != expected:
                raise InputError(f"Token episodes: {what}: found {actual}, expected {expected}.")
        if not 1 < self.vocabulary <= LARGEST_VOCABULARY:
            raise InputError(
                f"Token episodes: a vocabulary of {self.vocabulary} codes does not fit in int16."
            )
        if self.codebook is not None and len(self.codebook) != self.vocabulary:
            raise InputError(
                f"Token episodes: the codebook has {len(self.codebook)} vectors for {self.vocabulary} codes."
            )
        if episodes == 0 or self.lengths.min() < 1:
            short = self.names[int(self.lengths.argmin())] if episodes else "none at all"
            raise InputError(f"Token episodes: an episode needs at least two frames; there is {short}.")

    def _check_rows(self, bad: Any, problem: str | Callable[[int], str]) -> None:
        if bad.any():
            row = int(bad.argmax())
            episode = int(np.searchsorted(self.offsets, row, side="right")) - 1
            text = problem if isinstance(problem, str) else problem(row)
            raise InputError(
                f"Episode {self.names[episode]!r}, row {row - self.offsets[episode]}: {text}. Remedy: leave "
                "out the episode, or collect or tokenize it again."
            )

    def _unknown_codes(self) -> NDArray[np.bool_]:
        return (self.codes < 0) | (self.codes >= self.vocabulary)

    def _code_problem(self, row: int) -> str:
        worst = self.codes[row][self._unknown_codes()[row]][0]
        return f"code {worst} is not in the vocabulary of {self.vocabulary} codes"


def join_episodes(parts: Sequence[TokenEpisodes]) -> TokenEpisodes:
    """All episodes of several files.

    Raises:
        InputError: The parts were made by different tokenizers, or their actions differ in size.
    """
    first = parts[0]
    for part in parts[1:]:
        if _kind(part) != _kind(first) or not _same_codebook(part, first):
            raise InputError(
                "Token files do not fit together: their grids, vocabularies, codebooks or sizes of actions "
                f"differ ({_kind(first)} and {_kind(part)}). Remedy: tokenize all with one tokenizer."
            )
    starts = np.cumsum([0, *(len(part.codes) for part in parts)])
    ends = [part.offsets[1:] + start for part, start in zip(parts, starts, strict=False)]
    return TokenEpisodes(
        codes=np.concatenate([part.codes for part in parts]),
        actions=np.concatenate([part.actions for part in parts]),
        rewards=np.concatenate([part.rewards for part in parts]),
        discounts=np.concatenate([part.discounts for part in parts]),
        offsets=np.concatenate([np.zeros(1, np.int64), *ends]),
        names=tuple(name for part in parts for name in part.names),
        splits=tuple(split for part in parts for split in part.splits),
        grid=first.grid,
        vocabulary=first.vocabulary,
        codebook=first.codebook,
    )


def _kind(episodes: TokenEpisodes) -> tuple[Any, ...]:
    return episodes.grid, episodes.vocabulary, episodes.actions.shape[1]


def _same_codebook(one: TokenEpisodes, other: TokenEpisodes) -> bool:
    if one.codebook is None or other.codebook is None:
        return one.codebook is other.codebook
    return np.array_equal(one.codebook, other.codebook)
