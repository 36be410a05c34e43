"""What a service accepts, how it plans, and where it listens."""

from ipaddress import ip_address
from typing import Literal, Self

from pydantic import Field, model_validator

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import ConfigurationError


class ServingBounds(FrozenConfig):
    """More than this is refused, whoever asks."""

    message_bytes: int = Field(16_777_216, ge=1024)
    """Of a request's body, or of a message of a WebSocket."""

    pictures: int = Field(8, ge=1)
    """Cameras in a request."""

    picture_side: int = Field(2048, ge=1)
    """Pixels of a picture's height or width."""

    state_numbers: int = Field(1024, ge=0)
    """Numbers of a robot's state."""

    instruction_letters: int = Field(2000, ge=1)
    """Characters of an instruction."""

    receive_seconds: float = Field(10.0, gt=0)
    """In which a request must have arrived, headers and body, and an answer must have been taken."""

    idle_seconds: float = Field(600.0, gt=0)
    """After which a WebSocket that says nothing is closed. A simulator may need minutes for a reset."""

    plan_seconds: float = Field(60.0, gt=0)
    """In which a plan must be there, its time in the queue included; the first one loads kernels."""

    connections: int = Field(64, ge=1)
    """At one time; what comes beyond is answered with 503."""

    waiting: int = Field(64, ge=1)
    """Requests that may wait for the planning thread; what comes beyond is answered with 503."""

    per_second: float = Field(500.0, gt=0)
    """Requests of one address, with as many at once; HTTP is answered with 429, a WebSocket waits."""


class BatchingConfig(FrozenConfig):
    """How requests that come together are planned together."""

    most: int = Field(8, ge=1)
    """Requests in one call of the policy."""

    wait_milliseconds: float = Field(3.0, ge=0, le=1000)
    """How long the first request of a call waits for others."""


class OpenpiConfig(FrozenConfig):
    """How observations of openpi's clients are read: flat or nested, every robot with names of its own."""

    cameras: dict[str, str] = Field(default_factory=dict)
    """Names of pictures, such as ``observation/image``, to cameras of the policy. What is not named keeps the
    last part of its name."""

    state: tuple[str, ...] = ("observation/state", "state")
    """Names of the state's parts, put together in this order; what an observation lacks is left out."""

    instruction: str = "prompt"
    """Name of the instruction."""


class VlaEvalConfig(FrozenConfig):
    """How observations of vla-eval's benchmarks are read, and what they get."""

    cameras: dict[str, str] = Field(default_factory=dict)
    """Names of pictures in a benchmark to cameras of the policy; what is not named keeps its name."""

    execute_steps: int = Field(10, ge=1)
    """Actions of a chunk that are handed out, one per observation, before the next one is planned."""

    action_scale: tuple[float, ...] = ()
    """Factors of the numbers of an action; none: as the policy gives them. vla-eval's CALVIN adds actions to
    poses in meters and radians, CALVIN's own relative actions have units: .02, .02, .02, .05, .05, .05, 1."""


class ServingConfig(FrozenConfig):
    """All parameters of a service."""

    host: str = Field("127.0.0.1", min_length=1)
    """Address to listen at. The default is this machine alone; ``0.0.0.0``: all of its networks."""

    port: int = Field(8000, ge=0, le=65535)
    """Port to listen at; 0: any free one, which is logged."""

    token_variable: str | None = "VIDREP_SERVE_TOKEN"
    """Environment variable with the token that every request but ``/health`` must bear; where it is not set,
    or this is null, none is asked for. A parameter would be written to the run tracker."""

    root: Literal["openpi", "vla_eval"] = "openpi"
    """Which WebSocket protocol is spoken at ``/``; both are at ``/openpi`` and ``/vla-eval``."""

    seed: int = 0
    """Of the noise of the plans; equal seeds, episodes and steps draw equal noise."""

    log_seconds: float = Field(60.0, gt=0)
    """How often latencies are logged while there are requests."""

    bounds: ServingBounds = ServingBounds()
    """What is accepted."""

    batching: BatchingConfig = BatchingConfig()
    """How requests are put together."""

    openpi: OpenpiConfig = OpenpiConfig()
    """How openpi's clients are understood."""

    vla_eval: VlaEvalConfig = VlaEvalConfig()
    """How vla-eval's benchmarks are understood."""

    @property
    def is_local(self) -> bool:
        """Whether only this machine can ask."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @model_validator(mode="after")
    def _batch_fits(self) -> Self:
        if self.batching.most > self.bounds.waiting:
            raise ConfigurationError(
                f"serve_policy.batching.most is {self.batching.most}, and only {self.bounds.waiting} "
                "requests may wait. Remedy: raise serve_policy.bounds.waiting."
            )
        return self
