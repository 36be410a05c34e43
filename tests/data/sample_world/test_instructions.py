from collections import Counter
from itertools import product

import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sample_world.instructions import (
    OBJECT_COLORS,
    OBJECT_SHAPES,
    TASKS,
    Instruction,
    every_instruction,
    vocabulary,
)


def kinds(split: str) -> set[tuple[str, str, str]]:
    return {(item.color, item.shape, item.task) for item in every_instruction() if item.split == split}


def test_sentences_name_object_action_and_place() -> None:
    assert Instruction("push", "red", "cup", "left").text == "push the red cup to the left"
    assert Instruction("carry", "blue", "ball", "right").text == "carry the blue ball to the right"
    assert Instruction("lift", "green", "box", "up").text == "lift the green box up"
    put = Instruction("put", "red", "cup", "on_box", "blue")
    assert (put.text, put.task, put.name) == ("put the red cup on the blue box", "put_on_box", "red cup")


def test_every_sentence_is_read_back_and_made_of_the_vocabulary() -> None:
    sentences = every_instruction()
    assert len({item.text for item in sentences}) == len(sentences)
    assert [Instruction.parse(item.text) for item in sentences] == sentences
    assert {word for item in sentences for word in item.text.split()} == set(vocabulary())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "push the red cup",
        "push the red cup up",
        "lift the red cup to the left",
        "push the pink cup to the left",
        "push the red spoon to the left",
        "put the red box on the red box",
        "put the red cup on the pink box",
        "Push the red cup to the left",
    ],
)
def test_other_sentences_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="sample world"):
        Instruction.parse(text)


def test_held_out_combinations_never_occur_in_training() -> None:
    held_out, train = kinds("held_out"), kinds("train")
    assert not held_out & train
    assert len(held_out) == 18 and len(held_out | train) == 108


def test_training_knows_every_pair_of_color_shape_and_task() -> None:
    train = kinds("train")
    tasks = [f"{action}_{place}" for action, place in TASKS]
    assert {(c, s) for c, s, _ in train} == set(product(OBJECT_COLORS, OBJECT_SHAPES))
    assert {(c, t) for c, _, t in train} == set(product(OBJECT_COLORS, tasks))
    assert {(s, t) for _, s, t in train} == set(product(OBJECT_SHAPES, tasks))


def test_held_out_combinations_are_spread_evenly() -> None:
    held_out = kinds("held_out")
    assert set(Counter((color, shape) for color, shape, _ in held_out).values()) == {1}
    assert set(Counter((shape, task) for _, shape, task in held_out).values()) == {1}
    assert set(Counter(task for _, _, task in held_out).values()) == {3}


def test_the_split_is_the_one_of_the_documentation() -> None:
    assert Instruction("push", "red", "cup", "left").split == "held_out"
    assert Instruction("put", "blue", "cup", "on_box", "red").split == "held_out"
    assert Instruction("push", "red", "cup", "right").split == "train"
