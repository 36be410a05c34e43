"""Which of a run's training processes this one is, and where they meet."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import ConfigurationError

_NUMBERS = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
_MEETING_POINT = ("MASTER_ADDR", "MASTER_PORT")


class Place(FrozenConfig):
    """The place of a process among those of its run. The default is a process that trains alone."""

    rank: int = 0
    """Number among all processes, from 0."""

    world_size: int = 1
    """Number of processes."""

    local_rank: int = 0
    """Number among the processes of this machine, from 0."""

    local_world_size: int = 1
    """Number of processes on this machine."""

    meeting_point: str = ""
    """URL by which torch brings the processes together."""

    @classmethod
    def on_this_machine(cls, rank: int, processes: int, folder: Path) -> "Place":
        """One of several processes, all on this machine, that meet in a file of a private folder.

        Nothing listens to the network for that, and nothing that comes from it is interpreted.
        """
        return cls(
            rank=rank,
            world_size=processes,
            local_rank=rank,
            local_world_size=processes,
            meeting_point=(folder / "meeting_point").as_uri(),
        )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Place":
        """The place that ``torchrun``, or whatever else sets its variables, gave to this process.

        Only for a process that was started to be one of several: these variables say nothing about one that
        merely runs beside another launcher, such as a pipeline inside a SLURM job.

        Raises:
            ConfigurationError: Some of the variables are missing, or are no numbers.
        """
        if environment.get("WORLD_SIZE", "1") == "1":
            return cls()
        missing = [name for name in (*_NUMBERS, *_MEETING_POINT) if name not in environment]
        numbers = [environment[name] for name in _NUMBERS if name in environment]
        if missing or not all(number.isdigit() for number in numbers):
            what = f"{', '.join(missing)} missing" if missing else f"{', '.join(_NUMBERS)} must be numbers"
            raise ConfigurationError(
                f"The environment says WORLD_SIZE={environment['WORLD_SIZE']}, but {what}. Start this "
                "program by torchrun, which sets all of them, or unset WORLD_SIZE to train with one process."
            )
        rank, local_rank, world_size, local_world_size = map(int, numbers)
        return cls(
            rank=rank,
            local_rank=local_rank,
            world_size=world_size,
            local_world_size=local_world_size,
            meeting_point="env://",
        )

    def take(self) -> None:
        """Makes the environment of this process say the same, and nothing of another launcher.

        Libraries read some of these variables. Processes of one machine also exchange their tensors through
        its loopback interface, where nobody else can connect.
        """
        for name in [*_MEETING_POINT, *os.environ]:
            if name in _MEETING_POINT or name.startswith("TORCHELASTIC_"):
                os.environ.pop(name, None)
        numbers = (self.rank, self.local_rank, self.world_size, self.local_world_size)
        os.environ.update({name: str(number) for name, number in zip(_NUMBERS, numbers, strict=True)})
        loopback = _loopback_interface()
        if self.world_size == self.local_world_size and loopback is not None:
            os.environ["GLOO_SOCKET_IFNAME"] = loopback
            os.environ["NCCL_SOCKET_IFNAME"] = f"={loopback}"


ALONE = Place()
"""A process that trains by itself."""


def _loopback_interface() -> str | None:
    names = [name for _, name in socket.if_nameindex()]
    return next((name for name in ("lo", "lo0") if name in names), None)
