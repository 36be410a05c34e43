import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sample_world.instructions import Instruction
from vidrep_pipelines.data.sample_world.tabletop import TabletopConfig, TabletopSeeds, draw_layout

CONFIG = TabletopConfig(objects_max=4, mirror=True)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_objects_differ_and_stand_apart(count: int) -> None:
    config = TabletopConfig(objects_min=count, objects_max=count)
    for seed in range(30):
        bodies = draw_layout(config, seed).bodies
        assert len(bodies) == count == len({body.color for body in bodies})
        assert "box" in {body.shape for body in bodies}
        assert {body.lane for body in bodies} == {0.0}
        for left, right in pairwise(bodies):
            assert right.x - left.x > left.half_width + right.half_width + 0.15  # a fist fits in


def test_layouts_vary_in_all_that_is_drawn() -> None:
    layouts = [draw_layout(CONFIG, seed) for seed in range(60)]
    assert {len(layout.bodies) for layout in layouts} == {2, 3, 4}
    assert {layout.mirrored for layout in layouts} == {False, True}
    assert len({body.name for layout in layouts for body in layout.bodies}) == 18
    assert len({layout.bodies[0].x for layout in layouts}) > 30


def test_everything_that_can_be_asked_for_is_listed_once() -> None:
    layout = draw_layout(TabletopConfig(objects_min=3), 0)
    boxes = sum(body.shape == "box" for body in layout.bodies)
    instructions = layout.instructions()
    texts = {item.text for item in instructions}
    assert len(texts) == len(instructions) == 3 * 5 + boxes * (len(layout.bodies) - 1)
    assert {item.name for item in instructions} == set(layout.names)


def test_every_layout_has_instructions_for_training() -> None:
    for seed in range(40):
        splits = [item.split for item in draw_layout(CONFIG, seed).instructions()]
        assert splits.count("train") > splits.count("held_out")


def test_an_object_that_is_not_there_is_an_error() -> None:
    layout = draw_layout(CONFIG, 0)
    absent = next(name for name in ("red cup", "blue cup", "green ball") if name not in layout.names)
    with pytest.raises(InputError, match=f"no {absent} on the table"):
        layout.index(absent)


def test_seeds_of_the_parts_are_independent() -> None:
    seeds = TabletopSeeds.of(1)
    assert seeds == TabletopSeeds.of(1) != TabletopSeeds.of(2)
    assert len(set(dataclasses.astuple(seeds))) == 5


def test_equal_seeds_give_equal_layouts() -> None:
    one, other = draw_layout(CONFIG, 9), draw_layout(CONFIG, 9)
    assert one.bodies == other.bodies and one.mirrored == other.mirrored
    np.testing.assert_array_equal(one.start, other.start)


def test_bad_parameters_are_refused() -> None:
    with pytest.raises(ValidationError, match="objects_max"):
        TabletopConfig(objects_min=4, objects_max=2)
    with pytest.raises(ValidationError, match="listed twice"):
        TabletopConfig(cameras=("front", "front"))
    with pytest.raises(InputError, match="put on itself"):
        Instruction("put", "red", "box", "on_box", "red")
