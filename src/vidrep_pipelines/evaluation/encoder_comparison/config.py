"""Which encoders are compared over all evaluations, and what of it no evaluation says itself."""

from collections.abc import Mapping

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.evaluation.encoders.config import EncoderConfig, EncodersConfig
from vidrep_pipelines.evaluation.label_propagation.config import FrameSize, PropagationConfig
from vidrep_pipelines.evaluation.label_propagation.settings import DeviceName, RunSettings


class EncoderCostConfig(FrozenConfig):
    """What an encoder's time is measured on."""

    image_size: int = Field(224, gt=0)
    """Side of the frames in pixels; rounded up to a multiple of an encoder's stride."""

    frames: int = Field(16, ge=1)
    """Frames that go through it at once; the next multiple of an encoder's window."""

    repeats: int = Field(7, ge=1)
    """How often, after one pass that does not count: the median is reported, with the fastest and slowest."""


class EncoderComparisonConfig(FrozenConfig):
    """Encoders over all evaluations (``params:compare_encoders``)."""

    reference: str = "rsp"
    """Name of the encoder that all others are compared with, on the same sequences, videos and clips."""

    further: Mapping[str, EncoderConfig] = Field(default_factory=dict)
    """Encoders beside those of ``encoders.known``, which only this comparison has."""

    use: tuple[str, ...] | None = Field(None, min_length=1)
    """Those that are compared. None: all, without the checkpoints that the pipeline does not have."""

    phases_image_size: int = Field(224, gt=0)
    """Side of the frames of long videos as encoders see them; the mean over its grid embeds a frame."""

    cost: EncoderCostConfig = EncoderCostConfig()
    """How long an encoder takes."""

    device: DeviceName = "auto"
    """`auto` takes CUDA where there is one: for embeddings of long videos, and for the time."""

    frames_per_batch: int = Field(8, ge=1)
    """Frames that a network sees at once; has no influence on the result."""

    workers_per_gpu: int = Field(2, ge=1)
    """Worker processes of each GPU, in place of one per core."""

    def compared(self, encoders: EncodersConfig) -> EncodersConfig:
        """The encoders that are compared, the reference first.

        Args:
            encoders: Those that all evaluations know.

        Raises:
            ConfigurationError: There is no such encoder, the reference is not compared, or a further one has
                the name of a known one.
        """
        if double := sorted(set(self.further) & set(encoders.known)):
            raise ConfigurationError(
                f"compare_encoders.further.{double[0]}: encoders.known has an encoder of this name. Remedy: "
                "give it another one."
            )
        known = {**encoders.known, **self.further}
        names = list(known if self.use is None else self.use)
        if strangers := [name for name in (*names, self.reference) if name not in known]:
            raise ConfigurationError(
                f"compare_encoders names the encoder {strangers[0]!r}; there are {', '.join(known)}. Remedy: "
                "correct it, or add it to compare_encoders.further."
            )
        if self.reference not in names:
            raise ConfigurationError(
                f"compare_encoders.use lacks the reference {self.reference!r}. Remedy: add it, or name "
                "another compare_encoders.reference."
            )
        ordered = [self.reference, *(name for name in names if name != self.reference)]
        use = None if self.use is None else tuple(ordered)
        return EncodersConfig(known={name: known[name] for name in ordered}, use=use)

    @property
    def embedding_settings(self) -> RunSettings:
        """How frames of long videos come to an encoder: a square, normalized as in its training."""
        side = self.phases_image_size
        return RunSettings(
            propagation=PropagationConfig(),
            frame_size=FrameSize(rule="exact", sides=(side, side)),
            normalization="encoder",
            stamp="fixed",
        )
