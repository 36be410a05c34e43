"""What the arm can be told: a grammar of object, action and place, with combinations that are held out."""

import re
from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sample_world.body import ShapeName
from vidrep_pipelines.data.sample_world.materials import ColorName

ActionName = Literal["push", "carry", "lift", "put"]
PlaceName = Literal["left", "right", "up", "on_box"]
SplitName = Literal["train", "held_out"]

OBJECT_COLORS: tuple[ColorName, ...] = ("red", "blue", "green", "yellow", "orange", "purple")
OBJECT_SHAPES: tuple[ShapeName, ...] = ("cup", "ball", "box")
TASKS: tuple[tuple[ActionName, PlaceName], ...] = (
    ("push", "left"),
    ("carry", "right"),
    ("lift", "up"),
    ("push", "right"),
    ("carry", "left"),
    ("put", "on_box"),
)
"""Which action goes to which place."""

_PATTERN = re.compile(
    r"(?P<action>push|carry|lift|put) the (?P<color>\w+) (?P<shape>\w+) "
    r"(?:to the (?P<side>left|right)|(?P<up>up)|on the (?P<box_color>\w+) box)"
)


@dataclass(frozen=True)
class Instruction:
    """One order.

    Attributes:
        action: What is to be done.
        color: The named object's color.
        shape: The named object's shape.
        place: Where it is to go, as the viewer of the front camera sees it.
        box_color: Color of the box that it is put on; None for the other places.

    Raises:
        InputError: The action does not go to that place, or no object has that color or shape.
    """

    action: ActionName
    color: ColorName
    shape: ShapeName
    place: PlaceName
    box_color: ColorName | None = None

    def __post_init__(self) -> None:
        wrong_box = (self.place == "on_box") != (self.box_color is not None)
        known = self.color in OBJECT_COLORS and self.shape in OBJECT_SHAPES
        known = known and (self.box_color is None or self.box_color in OBJECT_COLORS)
        if (self.action, self.place) not in TASKS or wrong_box or not known:
            raise InputError(f"sample world: nobody can {self.action} a {self.name} {self.place}")
        if self.shape == "box" and self.box_color == self.color:
            raise InputError(f"sample world: a {self.name} cannot be put on itself")

    @classmethod
    def parse(cls, text: str) -> "Instruction":
        """Reads an instruction as ``text`` writes it.

        Raises:
            InputError: It is not one of the grammar's sentences.
        """
        found = _PATTERN.fullmatch(text)
        if found is None:
            raise InputError(
                f"sample world: {text!r} is no instruction; one is 'push the red cup to the left', "
                "'carry the red cup to the right', 'lift the red cup up' or 'put the red cup on the blue box'"
            )
        words = found.groupdict()
        place = words["side"] or words["up"] or "on_box"
        return cls(words["action"], words["color"], words["shape"], place, words["box_color"])  # type: ignore[arg-type]

    @property
    def name(self) -> str:
        """What the named object is called: "red cup"."""
        return f"{self.color} {self.shape}"

    @property
    def task(self) -> str:
        """Action and place: "push_left"."""
        return f"{self.action}_{self.place}"

    @property
    def where(self) -> str:
        """The end of the sentence: "to the left"."""
        if self.place == "on_box":
            return f"on the {self.box_color} box"
        return "up" if self.place == "up" else f"to the {self.place}"

    @property
    def text(self) -> str:
        """The sentence: "push the red cup to the left"."""
        return f"{self.action} the {self.name} {self.where}"

    @property
    def split(self) -> SplitName:
        """Whether its combination of object, action and place is kept for testing.

        One in six is: a Latin square of colors, shapes and tasks. Each shape does each task in all colors but
        one, each colored shape does all tasks but one, so that training has seen every word, every object and
        every two of color, shape and task together, but never the three. The color of the box that something
        is put on does not count.
        """
        number = OBJECT_COLORS.index(self.color) + 2 * OBJECT_SHAPES.index(self.shape)
        return "held_out" if (number + TASKS.index((self.action, self.place))) % len(TASKS) == 0 else "train"


def every_instruction() -> list[Instruction]:
    """All sentences of the grammar, in a fixed order."""
    sentences = []
    for (action, place), shape, color in product(TASKS, OBJECT_SHAPES, OBJECT_COLORS):
        boxes = (
            [box for box in OBJECT_COLORS if shape != "box" or box != color] if place == "on_box" else [None]
        )
        sentences += [Instruction(action, color, shape, place, box) for box in boxes]
    return sentences


def vocabulary() -> tuple[str, ...]:
    """All words that instructions are made of, sorted."""
    words = {"the", "to", "on", "left", "right", "up", *get_args(ActionName), *OBJECT_COLORS, *OBJECT_SHAPES}
    return tuple(sorted(words))
