"""A fixed part of a job's items, for batch systems that start the same command many times."""

import re
import zlib
from dataclasses import dataclass
from typing import Self

_MOST_SHARDS = 100_000


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several parts into which the ids of a job fall, whatever their order.

    Attributes:
        number: Which part, from 1 on (as in ``sbatch --array=1-64``).
        count: How many parts there are.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads ``3/64``.

        Raises:
            ValueError: The text is no such fraction.
        """
        match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
        shard = cls(int(match[1]), int(match[2])) if match else cls(0, 0)
        if not 1 <= shard.number <= shard.count <= _MOST_SHARDS:
            raise ValueError(
                f"{text!r} is no shard. Remedy: write the number of the part, counted from 1, and how many "
                f"parts there are, like 3/64 (sbatch --array=1-64; at most {_MOST_SHARDS})."
            )
        return shard

    @property
    def folder_name(self) -> str:
        """Name of the folder with the shard's records; in the order of the numbers when sorted."""
        return f"shard-{self.number:03d}-of-{self.count:03d}"

    @classmethod
    def of_folder(cls, name: str) -> Self | None:
        """The shard whose records the folder of this name holds; none for a copy that somebody made."""
        match = re.fullmatch(r"shard-(\d+)-of-(\d+)", name)
        shard = cls(int(match[1]), int(match[2])) if match else None
        if shard is None or not 1 <= shard.number <= shard.count or shard.folder_name != name:
            return None
        return shard

    def __contains__(self, item_id: str) -> bool:
        """Whether the item belongs to this part: a question of its id alone, on every machine."""
        return zlib.crc32(item_id.encode()) % self.count == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"
