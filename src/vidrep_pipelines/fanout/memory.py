"""Watches how much memory a worker process holds."""

import os
import signal
import threading
from multiprocessing.context import SpawnContext
from pathlib import Path

from vidrep_pipelines.common.errors import ConfigurationError

_SECONDS_BETWEEN_LOOKS = 0.05


class MemoryWatch:
    """Kills a process that holds more than its limit of resident memory.

    The address space would be easier to limit, but video and array libraries reserve far more than they use.

    Args:
        limit: Bytes.
        context: Makes the pipe through which each new process tells its number.

    Raises:
        ConfigurationError: This system does not tell how much memory a process holds.
    """

    def __init__(self, limit: int, context: SpawnContext) -> None:
        if resident_bytes(os.getpid()) == 0:
            raise ConfigurationError(
                "fanout.memory_limit needs the /proc file system of Linux. Remedy: set it to null."
            )
        self._limit = limit
        self._receiver, self.announce = context.Pipe(duplex=False)
        self._over = threading.Event()
        self.exceeded = False
        threading.Thread(target=self._look, daemon=True).start()

    def stop(self) -> None:
        """Ends the watch."""
        self._over.set()

    def _look(self) -> None:
        process: int | None = None
        while not self._over.wait(_SECONDS_BETWEEN_LOOKS):
            while self._receiver.poll():
                process = self._receiver.recv()
            if process is not None and resident_bytes(process) > self._limit:
                self.exceeded = True
                os.kill(process, signal.SIGKILL)
                process = None
        self._receiver.close()
        self.announce.close()


def resident_bytes(process: int) -> int:
    """Memory of a process that is in RAM; 0 when there is no such process or the system does not tell."""
    try:
        pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
