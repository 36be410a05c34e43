"""What can end a training run early, and how a process that fails tells the one that started it."""

import time
import traceback
from importlib import import_module

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import VidrepError


class NonFiniteLossError(VidrepError):
    """The loss or its gradient became infinite or not a number; the update was not applied."""


class TrainingInterrupted(VidrepError):  # noqa: N818 - nothing went wrong: somebody asked for it
    """The run was asked to stop (Ctrl-C, SIGTERM, SIGUSR1); it saved a checkpoint first."""


class LauncherLostError(VidrepError):
    """The process that started this training process is gone, so nobody waits for the result."""


class LoaderWorkerLostError(VidrepError):
    """A process that reads data for the training process died."""


class CheckpointWriteError(VidrepError):
    """A checkpoint could not be written; the earlier ones are untouched."""


class TrainingFailedError(VidrepError):
    """Training processes died and the permitted retries are used up, or retrying makes no sense."""


class Failure(FrozenConfig):
    """What an exception says, without the exception, which may not survive the way."""

    error: str
    """``module:Class`` of the exception."""

    message: str
    """Its text."""

    trace: str
    """Where it came from."""

    worth_retrying: bool
    """Whether it may not come back, such as the consequence of another process's death."""

    rank: int = 0
    """The training process that failed."""

    at: float = 0.0
    """When it failed, in seconds; the clock is that of the machine."""

    @classmethod
    def of(cls, error: Exception, rank: int = 0) -> "Failure":
        """Describes ``error``, which happened just now."""
        return cls(
            error=f"{type(error).__module__}:{type(error).__qualname__}",
            message=str(error),
            trace="".join(traceback.format_exception(error)),
            # Torch's backends report a lost peer as a plain RuntimeError or a subclass of it.
            worth_retrying=isinstance(error, RuntimeError | OSError | LoaderWorkerLostError),
            rank=rank,
            at=time.time(),
        )

    def summary(self) -> str:
        """Class and first line of the message."""
        first_line = self.message.partition("\n")[0]
        return f"{self.error.partition(':')[2]}: {first_line}"

    def as_exception(self) -> VidrepError:
        """Our own errors come back as they were; others are faults in code, shown with their traceback."""
        module, _, name = self.error.partition(":")
        ours = module.partition(".")[0] == "vidrep_pipelines"
        error_class = getattr(import_module(module), name, None) if ours else None
        if isinstance(error_class, type) and issubclass(error_class, VidrepError):
            return error_class(self.message)
        return TrainingFailedError(f"A training process failed:\n{self.trace}")
