"""What an object is; where it is belongs to the world's state."""

from dataclasses import dataclass
from typing import Literal

from vidrep_pipelines.data.sample_world.materials import ColorName

ShapeName = Literal["ball", "box", "cup", "bowl"]


@dataclass(frozen=True)
class Body:
    """An object.

    Attributes:
        shape: Its kind.
        color: Its color, and the first word of its name.
        half_width: Half of its width in world units, as seen from the front.
        half_height: Half of its height in world units.
        x: Where it starts; the arm's base is on the left, before the scene is mirrored.
        lane: Distance behind the arm's plane (negative: in front of it). The arm reaches lane 0 only.
        string: Length of the string it hangs from, None if it stands on the table.
        height: Height of a hanging object's center at rest above the table.
        content_color: Color of what a vessel holds.
        filled: Whether it starts full.
    """

    shape: ShapeName
    color: ColorName
    half_width: float
    half_height: float
    x: float
    lane: float = 0.0
    string: float | None = None
    height: float = 0.0
    content_color: ColorName = "white"
    filled: bool = False

    @property
    def name(self) -> str:
        """How an instruction calls it: "red ball"."""
        return f"{self.color} {self.shape}"

    @property
    def grip_width(self) -> float:
        """How far apart the fingers are when they hold it; a cup is held by its wall."""
        return 0.15 if self.shape == "cup" else 2 * self.half_width

    @property
    def graspable(self) -> bool:
        """Whether the hand can hold it."""
        return self.shape != "bowl" and self.string is None and self.lane == 0.0
