"""How per-item work is executed."""

from typing import Literal

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig


class FanOutConfig(FrozenConfig):
    """How the per-item stages are executed. Nothing here changes a result, only how fast it is made."""

    engine: Literal["serial", "local"] = "local"
    """``local`` uses worker processes on this machine; ``serial`` works in this process, for debugging."""

    workers: int | None = Field(default=None, ge=1)
    """Worker processes; none means one per processor that this process may use."""

    deadline_seconds: float = Field(default=600.0, gt=0)
    """An item that takes longer fails and its worker is killed (the serial engine cannot enforce this)."""

    attempts: int = Field(default=2, ge=1)
    """Deaths of a worker process on the same item before that item is given up."""

    retry_failed: bool = False
    """Tries items again that failed in an earlier run."""

    max_failed_fraction: float = Field(default=1.0, ge=0, le=1)
    """More failures than this fraction of the items end the stage in an error, after all were tried."""
