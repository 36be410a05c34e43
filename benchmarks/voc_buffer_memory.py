"""Memory of a data set of tokens: ours over the published replay buffer's, per row."""

import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.reference.voc_published import PublishedBuffer
from benchmarks.timing import Result
from vidrep_pipelines.data.token_episodes.episodes import TokenEpisodes
from vidrep_pipelines.data.token_episodes.file import read_token_episodes, write_token_episodes

EPISODES, ROWS, TOKENS, ACTIONS, VOCABULARY, CODE = 10, 501, 25, 6, 1024, 256
HOW = (
    f"bytes that stay allocated after loading {EPISODES} episodes of {ROWS} rows (25 VAE tokens, 6 actions, "
    "reward, discount) with their codebook; reference: the published buffer with just as many rows, not the "
    "million that it always allocates. The ratio is ours over the reference's"
)


def kept_bytes(load: Callable[[], object]) -> int:
    """What is still allocated when ``load`` has returned."""
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    result = load()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del result
    return after - before


def token_episodes() -> TokenEpisodes:
    rng = np.random.default_rng(0)
    rows = EPISODES * ROWS
    return TokenEpisodes(
        codes=rng.integers(VOCABULARY, size=(rows, TOKENS)).astype(np.int16),
        actions=rng.uniform(-1, 1, (rows, ACTIONS)).astype(np.float32),
        rewards=rng.random(rows).astype(np.float32),
        discounts=np.ones(rows, np.float32),
        offsets=np.arange(EPISODES + 1, dtype=np.int64) * ROWS,
        names=tuple(f"episode_{number}" for number in range(EPISODES)),
        splits=("train",) * EPISODES,
        grid=(5, 5),
        vocabulary=VOCABULARY,
        codebook=rng.standard_normal((VOCABULARY, CODE)).astype(np.float32),
    )


def run() -> dict[str, Result]:
    rows = EPISODES * ROWS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokens.h5"
        write_token_episodes(path, token_episodes())
        read_token_episodes(path)  # imports and caches of libraries are no part of the data
        ours = kept_bytes(lambda: read_token_episodes(path)) / rows
    published = kept_bytes(lambda: PublishedBuffer(rows, TOKENS, ACTIONS)) / rows
    result = Result(ratio=ours / published, ours=ours, reference=published, unit="bytes per row", how=HOW)
    return {"voc_buffer_memory": result}
