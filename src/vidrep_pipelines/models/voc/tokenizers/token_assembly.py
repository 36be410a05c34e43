"""Token episodes out of a store of frames and the codes beside it."""

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.codes import CodeStore
from vidrep_pipelines.models.voc.token_episodes import TokenEpisodes
from vidrep_pipelines.models.voc.tokenizers.tokenizer import Tokenizer


def assemble_token_episodes(store: CodeStore, tokenizer: Tokenizer) -> TokenEpisodes:
    """Joins the codes of all views with their actions, rewards and discounts.

    Args:
        store: Codes of the views, each of which is an episode.
        tokenizer: What made them.

    Raises:
        InputError: An episode has no rewards, or actions for some frames only; a code is not in the
            vocabulary; a number is not finite. The message names the episode.
    """
    frames = store.store
    splits = dict(zip(frames.table["id"].tolist(), frames.table["split"].tolist(), strict=True))
    views = list(frames.ids)
    codes = [store.codes(view).reshape(frames.length(view), -1) for view in views]
    outcomes = [_after_start(frames.outcomes(view), view, frames.length(view), "rewards") for view in views]
    actions = [_after_start(frames.actions(view), view, frames.length(view), "actions") for view in views]
    for rows in outcomes:
        rows[0, 1] = 1.0
    joined = np.concatenate(outcomes)
    return TokenEpisodes(
        codes=np.concatenate(codes),
        actions=np.concatenate(actions),
        rewards=joined[:, 0].copy(),
        discounts=joined[:, 1].copy(),
        offsets=np.cumsum([0, *(len(rows) for rows in codes)], dtype=np.int64),
        names=tuple(views),
        splits=tuple(splits[view] for view in views),
        grid=(tokenizer.grid, tokenizer.grid),
        vocabulary=tokenizer.vocabulary,
        codebook=tokenizer.codebook.detach().float().cpu().numpy(),
    )


def _after_start(rows: NDArray[np.float32], view: str, frames: int, what: str) -> NDArray[np.float32]:
    """(T - 1, A) between frames to (T, A), with zeros at the first frame."""
    if len(rows) != frames - 1:
        raise InputError(
            f"{view} has {frames} frames and {len(rows)} {what}, one less than frames is needed. Remedy: "
            f"a source that knows {what}: ingest_dmc, a replay buffer, or the sample world's agent."
        )
    start = np.zeros((1, rows.shape[1]), np.float32)
    return np.concatenate([start, rows])
