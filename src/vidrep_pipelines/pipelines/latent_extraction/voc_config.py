"""Parameters of turning episodes into tokens."""

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig


class TokenExtractionConfig(FrozenConfig):
    """How frames are encoded. Nothing here changes a code."""

    batch_size: int = Field(32, ge=1)
    """Frames that are encoded at once."""
