import pytest
from pydantic import ValidationError

from vidrep_pipelines.data.sources.metaworld.config import MetaworldEpisodesConfig, MetaworldPicturesConfig
from vidrep_pipelines.data.sources.metaworld.instructions import (
    METAWORLD_INSTRUCTIONS,
    metaworld_vocabulary,
)


def test_every_task_is_told_in_words_of_its_own() -> None:
    assert len(METAWORLD_INSTRUCTIONS) == 50
    assert len(set(METAWORLD_INSTRUCTIONS.values())) == 50
    words = metaworld_vocabulary({"a": "push the button", "b": "close the door"})
    assert words == ("button", "close", "door", "push", "the")
    assert all(word.isalpha() and word.islower() for word in metaworld_vocabulary())


def test_a_renderer_is_named_by_quality_and_size() -> None:
    assert MetaworldPicturesConfig(width=64, height=32).renderer == "metaworld/fast_32x64"
    assert MetaworldPicturesConfig(quality="published").renderer == "metaworld/published_128x128"


def test_words_can_be_given() -> None:
    config = MetaworldEpisodesConfig(
        tasks=("reach-v3", "mine-v1"), instructions={"reach-v3": "go there", "mine-v1": "do it"}
    )
    assert [config.instruction(task) for task in config.tasks] == ["go there", "do it"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"tasks": ("push-v2",)}, r"no words are known for the task 'push-v2'; close: push-v3"),
        ({"tasks": ("push-v3", "push-v3")}, "a task is listed twice"),
        ({"instructions": {"reach-v3": "push the button"}}, "two tasks are told the same"),
        ({"pictures": {"cameras": ("corner", "corner")}}, "a camera is listed twice"),
        ({"pictures": {"cameras": ("front",)}}, "topview"),
        ({"most_steps": 501}, "500"),
    ],
)
def test_what_cannot_be_simulated_is_refused(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        MetaworldEpisodesConfig.model_validate(fields)
