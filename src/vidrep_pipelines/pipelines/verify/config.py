"""Parameters of the verification."""

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig, UserPath


class VerifyConfig(FrozenConfig):
    """What is compared, and what happens to damaged files (``params:verify``)."""

    root: UserPath
    """Everything below it that a stage made item by item (clips, frames, codes, embeddings, stores), the
    checkpoints of trainings, former runs among them, and published weights."""

    remove_damaged: bool = False
    """Removes damaged files, so that the pipelines which made them make them again, and damaged checkpoints,
    so that training goes on from the one before. False: reports them only, and the run ends in an error."""

    threads: int | None = Field(default=None, ge=1)
    """Files that are read at the same time; none means one per processor."""
