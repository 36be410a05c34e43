"""Where everything stands when a sequence begins: the state in words as numbers of the simulator."""

from collections.abc import Iterable, Mapping

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.evaluation.calvin.tasks import SymbolicState, Value

ROBOT_NUMBERS, SCENE_NUMBERS = 15, 24

_ROBOT = (0.02586889, -0.2313129, 0.5712808, 3.09045411, -0.02908596, 1.50013585, 0.07999963, -1.21779124,
          1.03987629, 2.11978254, -2.34205014, -0.87015899, 1.64119093, 0.55344928, 1.0)  # fmt: skip
_TABLE = ((0.0500000896, -0.120000177, 0.459990009), (0.229995412, -0.11999514, 0.45999001))
_SLIDER = {
    "slider_right": (0.070341633, 0.0924044687, 0.460990009),
    "slider_left": (-0.240851662, 0.0924044687, 0.460990009),
}
_SLIDER_LEFT, _DRAWER_OPEN, _SWITCH_ON = 0.28, 0.22, 0.088
_YAW = (np.pi / 2 - np.pi / 8, np.pi / 2 + np.pi / 8)
BLOCK_STARTS: Mapping[str, int] = {"red_block": 6, "blue_block": 12, "pink_block": 18}
"""Where the six numbers of a block, position in meters and Euler angles, begin in the scene's numbers."""


def scene_hash(text: str) -> int:
    """The 32-bit number that the benchmark seeds a scene with.

    FNV-1 (multiply, then combine) of the text in UTF-16, low byte first, from the start value 0: what the
    published program's hash library does on Python 3. UTF-8 or the usual start value place blocks elsewhere.
    """
    value = 0
    for byte in text.encode("utf-16-le"):
        value = (value * 16777619 & 0xFFFFFFFF) ^ byte
    return value


def scene_seed(state: SymbolicState) -> int:
    """The seed of a state: the hash of how Python writes its values."""
    return scene_hash(f"dict_values({list(state.values())!r})")


def initial_observations(state: SymbolicState) -> tuple[FloatArray, FloatArray]:
    """Robot and scene at the beginning of a sequence.

    Args:
        state: One of :func:`~vidrep_pipelines.evaluation.calvin.sequences.initial_states`; the order of its
            keys counts.

    Returns:
        Robot (15,): position of the hand in meters, Euler angles, width of the gripper, seven joints, gripper
        command. Scene (24,): slider, drawer, button, switch, light bulb, LED, then the blocks.
    """
    draws = np.random.RandomState(scene_seed(state))
    table = list(_TABLE)
    draws.shuffle(table)
    scene = np.zeros(SCENE_NUMBERS)
    scene[0] = _SLIDER_LEFT if state["slider"] == "left" else 0
    scene[1] = _DRAWER_OPEN if state["drawer"] == "open" else 0
    scene[3], scene[4] = (_SWITCH_ON, 1) if state["lightbulb"] else (0, 0)
    scene[5] = state["led"]
    for (block, start), position in zip(BLOCK_STARTS.items(), _block_positions(state, table), strict=True):
        assert block in state
        scene[start : start + 3] = position
        scene[start + 5] = draws.uniform(*_YAW)
    return np.array(_ROBOT), scene


def _block_positions(
    state: SymbolicState, table: list[tuple[float, float, float]]
) -> Iterable[tuple[float, float, float]]:
    """Red has the table's first place, pink its second, blue the one that red has left."""
    blue = table[1] if state["red_block"] == "table" else table[0]
    for block, place in zip(BLOCK_STARTS, (table[0], blue, table[1]), strict=True):
        yield _SLIDER.get(_text(state[block]), place)


def _text(value: Value) -> str:
    return str(value)
