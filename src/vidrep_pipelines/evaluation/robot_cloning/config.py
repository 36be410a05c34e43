"""How behavior is cloned on frozen features, and how it is measured."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field, PositiveInt, model_validator

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.evaluation.label_propagation.settings import DeviceName

HeadPreset = Literal["cortexbench", "r3m"]
FloorInput = Literal["proprioception"]
CeilingInput = Literal["state", "expert"]
WorldName = Literal["tabletop", "metaworld", "dmc"]

HEAD_PRESETS: Mapping[HeadPreset, Mapping[str, Any]] = MappingProxyType(
    {
        "cortexbench": {
            "hidden": (256, 256, 256),
            "history": 3,
            "unit": "epochs",
            "length": 100,
            "evaluate_every": 5,
            "batch_size": 256,
        },
        "r3m": {
            "hidden": (256, 256),
            "history": 1,
            "unit": "updates",
            "length": 20_000,
            "evaluate_every": 1000,
            "batch_size": 32,
        },
    }
)
"""CortexBench: Majumdar et al. 2023, arXiv 2303.18240. R3M: Nair et al. 2022, arXiv 2203.12601."""


class CloningHeadConfig(FrozenConfig):
    """A published head: batch norm of its input, then an MLP with ReLU, by the squared error of actions."""

    preset: HeadPreset = "cortexbench"
    """Whose values the fields have that are not given."""

    hidden: tuple[int, ...] = (256, 256, 256)
    """Units of the hidden layers."""

    history: int = Field(3, ge=1, le=16)
    """Frames whose features are seen: the present one, and how features changed from each to the next. The
    first frame stands for those before it. 1: the present one alone."""

    unit: Literal["epochs", "updates"] = "epochs"
    """What ``length`` and ``evaluate_every`` count."""

    length: int = Field(100, ge=1)
    """How long is trained."""

    evaluate_every: int = Field(5, ge=1)
    """How often the head is kept, to choose from; it is always kept at the end."""

    batch_size: int = Field(256, ge=2)
    """Control steps per update. Fewer steps than that are one batch."""

    learning_rate: float = Field(1e-3, gt=0)
    """Adam's."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: Any) -> Any:
        if isinstance(given, Mapping):
            return {**HEAD_PRESETS.get(given.get("preset", "cortexbench"), {}), **given}
        return given

    @property
    def kept(self) -> tuple[int, ...]:
        """After how many epochs, or updates, the head is kept."""
        return (*range(self.evaluate_every, self.length, self.evaluate_every), self.length)


class RobotFeatureConfig(FrozenConfig):
    """What is taken of an encoder for each frame."""

    feature: Literal["class_token", "grid"] = "class_token"
    """``class_token``: that of the encoder, as CortexBench takes it; of an encoder without one, ``grid``.
    ``grid``: the features of all places, averaged over a grid."""

    token_grid: int = Field(1, ge=1)
    """Rows and columns of that grid; 1 is the mean of all places."""

    image_size: int | None = Field(None, gt=0)
    """Side to which frames are resized. None: as they are stored. Sides are rounded to multiples of the
    encoder's stride."""

    pixel_grid: int = Field(16, ge=1)
    """What an encoder of kind ``pixels`` sees: the frame, averaged to so many rows and columns of colors."""


class RobotEvaluationConfig(FrozenConfig):
    """How cloned behavior is measured, the same for all encoders (``params:eval_robot``)."""

    world: WorldName | None = None
    """Where it is tried out. None: MetaWorld or DM Control, whichever ``robot_demos`` describes, else the
    tabletop."""

    tasks: tuple[str, ...] | None = Field(None, min_length=1)
    """Which tasks; each has heads of its own. None: all that have demonstrations."""

    demonstrations: int = Field(25, ge=1)
    """Of each task, the first ones in the split ``train``. CortexBench: 25 in MetaWorld."""

    demonstrations_of: Mapping[str, PositiveInt] = Field({})
    """Of single tasks another number: easy ones tell encoders apart only where they are shown rarely."""

    camera: str | None = None
    """Which camera is looked through. None: the world's first."""

    features: RobotFeatureConfig = RobotFeatureConfig()
    """What is taken of an encoder."""

    proprioception: bool = True
    """Whether heads also know what the robot feels: MetaWorld the hand's place and opening, the tabletop its
    joints, DM Control places and velocities of the joints, which in the cart-pole and the point mass are all
    there is. CortexBench: in MetaWorld yes, in DM Control no."""

    floors: tuple[FloorInput, ...] = ("proprioception",)
    """What is measured beside encoders that needs none. ``proprioception``: what the robot feels alone.
    Encoders of the kinds ``random`` and ``pixels`` are floors, too."""

    ceilings: tuple[CeilingInput, ...] = ("state", "expert")
    """What knows more than can be seen. ``state``: the same head on the exact state of the scene.
    ``expert``: who made the demonstrations."""

    head: CloningHeadConfig = CloningHeadConfig()
    """What is trained."""

    seeds: tuple[int, ...] = Field((0,), min_length=1)
    """Of heads: first weights and order of batches. Each is trained and measured."""

    part: Literal["validation", "test"] = "test"
    """Which layouts are measured on."""

    episodes: int = Field(25, ge=1)
    """Layouts of each task, the first ones of the part, the same for all. CortexBench: 25."""

    select_on: Literal["validation", "test"] = "validation"
    """On which layouts the best epoch is chosen. ``test`` is what is published: the best result on the very
    episodes that are reported, which is too good."""

    selection_episodes: int = Field(10, ge=1)
    """Layouts of each task to choose by; on ``test``, as many as ``episodes``."""

    most_steps: int | None = Field(None, ge=1)
    """Actions after which an attempt has failed. None: the world's own (tabletop 40, MetaWorld 500). In DM
    Control episodes are scored as a whole: their length is that of ``robot_demos.dmc``."""

    block: int = Field(25, ge=1)
    """Episodes of one item of work."""

    environments: int = Field(5, ge=1)
    """Environments of an item in lock step, so that frames are encoded together."""

    device: DeviceName = "auto"
    """``auto`` takes CUDA where there is one; several GPUs share the work."""

    workers_per_gpu: int = Field(2, ge=1)
    """Worker processes of each GPU, in place of one per core."""

    @model_validator(mode="after")
    def _check(self) -> "RobotEvaluationConfig":
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"eval_robot.seeds: one is listed twice in {list(self.seeds)}")
        return self
