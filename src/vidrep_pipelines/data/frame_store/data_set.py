"""Episodes under the name of the data set that they belong to, where several share a store."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.episode import Episode, EpisodeSource, stated_split


@dataclass(frozen=True)
class DataSetSource:
    """A source whose episodes go by the name of a data set, whatever acts in them.

    Attributes:
        source: Where they come from.
        data_set: The data set's name.
    """

    source: EpisodeSource
    data_set: str

    @property
    def trajectory(self) -> str:
        """The name below that of the data set."""
        return f"{self.data_set}/{self.source.trajectory}"

    @property
    def split(self) -> str | None:
        """The split that the source states."""
        return stated_split(self.source)

    @property
    def digest(self) -> str:
        """Changes with the source and with the name."""
        return digest_of(self.source.digest, self.data_set)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        """Opens the source.

        Raises:
            InputError: It cannot be read; the message names the file.
        """
        with self.source.open() as episode:
            yield replace(episode, robot=self.data_set)


def require_distinct(sources: Sequence[EpisodeSource]) -> None:
    """Checks that no two episodes of different sources have one name.

    Raises:
        InputError: Some have.
    """
    names = Counter(source.trajectory for source in sources)
    if repeated := sorted(name for name, number in names.items() if number > 1):
        raise InputError(
            f"{len(repeated)} names of episodes occur twice, such as {repeated[0]!r}. Remedy: give the data "
            "sets that they are from different names, or list each of them once."
        )
