"""What MetaWorld's tasks are called in words."""

from collections.abc import Mapping
from types import MappingProxyType

METAWORLD_INSTRUCTIONS: Mapping[str, str] = MappingProxyType(
    {
        "assembly-v3": "put the ring on the peg",
        "basketball-v3": "put the ball into the basket",
        "bin-picking-v3": "carry the block to the other bin",
        "box-close-v3": "put the lid on the box",
        "button-press-topdown-v3": "push the button down",
        "button-press-topdown-wall-v3": "push the button down behind the wall",
        "button-press-v3": "push the button",
        "button-press-wall-v3": "push the button behind the wall",
        "coffee-button-v3": "push the button of the coffee machine",
        "coffee-pull-v3": "pull the mug away from the coffee machine",
        "coffee-push-v3": "push the mug under the coffee machine",
        "dial-turn-v3": "turn the dial",
        "disassemble-v3": "lift the ring off the peg",
        "door-close-v3": "close the door",
        "door-lock-v3": "lock the door",
        "door-open-v3": "open the door",
        "door-unlock-v3": "unlock the door",
        "drawer-close-v3": "close the drawer",
        "drawer-open-v3": "open the drawer",
        "faucet-close-v3": "close the faucet",
        "faucet-open-v3": "open the faucet",
        "hammer-v3": "hammer the nail into the wall",
        "hand-insert-v3": "put the hand into the hole",
        "handle-press-side-v3": "push the handle at the side down",
        "handle-press-v3": "push the handle down",
        "handle-pull-side-v3": "pull the handle at the side up",
        "handle-pull-v3": "pull the handle up",
        "lever-pull-v3": "pull the lever up",
        "peg-insert-side-v3": "put the peg into the hole at the side",
        "peg-unplug-side-v3": "pull the peg out of the hole at the side",
        "pick-out-of-hole-v3": "lift the block out of the hole",
        "pick-place-v3": "carry the block to the target",
        "pick-place-wall-v3": "carry the block over the wall to the target",
        "plate-slide-back-side-v3": "slide the plate out of the goal to the side",
        "plate-slide-back-v3": "slide the plate out of the goal",
        "plate-slide-side-v3": "slide the plate into the goal at the side",
        "plate-slide-v3": "slide the plate into the goal",
        "push-back-v3": "pull the block to the target",
        "push-v3": "push the block to the target",
        "push-wall-v3": "push the block around the wall to the target",
        "reach-v3": "reach the red target",
        "reach-wall-v3": "reach the red target behind the wall",
        "shelf-place-v3": "put the block on the shelf",
        "soccer-v3": "push the ball into the goal",
        "stick-pull-v3": "pull the thermos with the stick",
        "stick-push-v3": "push the thermos with the stick",
        "sweep-into-v3": "sweep the block into the hole",
        "sweep-v3": "sweep the block off the table",
        "window-close-v3": "close the window",
        "window-open-v3": "open the window",
    }
)
"""An instruction for each task, in words of one vocabulary; no two tasks are told the same."""


def metaworld_vocabulary(instructions: Mapping[str, str] = METAWORLD_INSTRUCTIONS) -> tuple[str, ...]:
    """All words of the instructions, in alphabetical order: what a text model of kind ``own`` has to know."""
    return tuple(sorted({word for text in instructions.values() for word in text.split()}))
