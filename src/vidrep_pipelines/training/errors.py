"""What can end a training run early."""

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
