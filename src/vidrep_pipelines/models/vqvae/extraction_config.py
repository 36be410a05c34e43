"""Parameters of the extraction of codes."""

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig


class LatentExtractionConfig(FrozenConfig):
    """What is extracted from a data set."""

    latents: bool = False
    """Also keep the latents before quantization, as float16: many times the size of the codes."""

    batch_size: int = Field(64, ge=1)
    """Frames encoded together."""
