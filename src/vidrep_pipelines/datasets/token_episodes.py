"""Episodes as tokens in the catalog: one file, and what is in it."""

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from kedro_datasets._typing import TablePreview

from vidrep_pipelines.common.digest import digest_of_file
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.datasets.local import LocalDataset, table_preview

if TYPE_CHECKING:
    from vidrep_pipelines.data.token_episodes.episodes import TokenEpisodes

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TokenEpisodesFile:
    """Handle on a file of token episodes; reads it when it is first asked for the episodes.

    Attributes:
        path: The HDF5 file, which training reads.
    """

    path: Path

    @cached_property
    def episodes(self) -> "TokenEpisodes":
        """The episodes of all splits.

        Raises:
            InputError: The file is damaged, or its content is faulty.
        """
        from vidrep_pipelines.data.token_episodes.file import read_token_episodes

        return read_token_episodes(self.path)

    @property
    def digest(self) -> str:
        """Digest of the content: equal episodes give equal files."""
        return digest_of_file(self.path)


class TokenEpisodesDataset(LocalDataset["TokenEpisodes", TokenEpisodesFile]):
    """Token episodes in one HDF5 file. A file that already holds the same episodes is left as it is."""

    def save(self, data: "TokenEpisodes") -> None:
        """Writes the file, whole or not at all."""
        from vidrep_pipelines.data.token_episodes.file import write_token_episodes

        if self._holds(data):
            _log.info("token episodes: up to date (%d)", len(data.names))
        else:
            write_token_episodes(self._path, data)

    def load(self) -> TokenEpisodesFile:
        """The handle; reads nothing."""
        return TokenEpisodesFile(self._require().absolute())

    def _holds(self, episodes: "TokenEpisodes") -> bool:
        if not self._exists():
            return False
        try:
            return self.load().episodes.equals(episodes)
        except InputError:
            return False

    def preview(self) -> TablePreview:
        """Episodes, steps and mean return by split."""
        import pandas as pd

        if not self._exists():
            return TablePreview({})
        try:
            episodes = self.load().episodes
        except InputError:
            return TablePreview({})
        returns = [float(episodes.rewards[episodes.outcomes_of(n)].sum()) for n in range(len(episodes.names))]
        table = pd.DataFrame({"split": episodes.splits, "steps": episodes.lengths, "return": returns})
        groups = table.groupby("split", as_index=False)
        return table_preview(
            groups.agg(episodes=("steps", "size"), steps=("steps", "sum"), mean_return=("return", "mean"))
        )
