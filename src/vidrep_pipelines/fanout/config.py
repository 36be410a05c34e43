"""How per-item work is executed."""

import re
from typing import Literal, Self

from pydantic import Field, field_validator

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.fanout.shard import Shard

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?", re.IGNORECASE)


class FanOutConfig(FrozenConfig):
    """How the per-item stages are executed. Nothing here changes a result, only how fast it is made."""

    engine: Literal["serial", "local", "dask"] = "local"
    """``local`` uses worker processes on this machine; ``dask`` those of a Dask cluster (extra ``cluster``);
    ``serial`` works in this process, for debugging."""

    workers: int | None = Field(default=None, ge=1)
    """Worker processes; none means one per processor that this process may use. A Dask cluster that was
    started elsewhere has its own number."""

    scheduler: str | None = None
    """The Dask scheduler: an address such as ``tcp://10.0.0.1:8786`` or the path of a scheduler file. None
    starts a cluster of ``workers`` processes on this machine."""

    shard: str | None = None
    """``3/64`` does only the third of 64 parts of the items; a run without it merges what the parts did."""

    deadline_seconds: float = Field(default=600.0, gt=0)
    """An item that takes longer fails and its worker is killed (the serial engine cannot enforce this)."""

    memory_limit: str | None = None
    """Resident memory of a worker process, such as ``4GB``; an item that needs more is killed and fails (the
    serial engine cannot enforce this)."""

    attempts: int = Field(default=2, ge=1)
    """Deaths of a worker process on the same item before that item is given up."""

    retry_failed: bool = False
    """Tries items again that failed in an earlier run."""

    max_failed_fraction: float = Field(default=1.0, ge=0, le=1)
    """More failures than this fraction of the items end the stage in an error, after all were tried. Judged
    over all items, so by the run that merges and not by a shard."""

    @field_validator("shard")
    @classmethod
    def _shard_can_be_read(cls, value: str | None) -> str | None:
        if value is not None:
            Shard.parse(value)
        return value

    @field_validator("memory_limit", mode="before")
    @classmethod
    def _size_can_be_read(cls, value: object) -> object:
        if value is not None and not (_SIZE.fullmatch(str(value).strip()) and _bytes(str(value)) > 0):
            raise ValueError(f"{value!r} is no size. Remedy: write it like 4GB or 512MB.")
        return None if value is None else str(value)

    def trying_again(self) -> Self:
        """The same, but what failed in an earlier run is tried again.

        For stages that read products of the project's other stages. An item that failed because one of them
        was damaged has to be made once that is healed, and no digest tells: the healed product is the same as
        ever.
        """
        return self.model_copy(update={"retry_failed": True})

    @property
    def memory_limit_bytes(self) -> int | None:
        """The memory limit as a number."""
        return None if self.memory_limit is None else _bytes(self.memory_limit)


def _bytes(size: str) -> int:
    """``4GB`` is 4e9 and ``4GiB`` is 4 * 2**30."""
    match = _SIZE.fullmatch(size.strip())
    if match is None:
        raise ValueError(f"{size!r} is no size")
    number, unit, binary = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** " KMGT".index(unit.upper() or " "))
