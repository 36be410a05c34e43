import logging
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.frame_store.episode import EpisodeAnnotations, Segment
from vidrep_pipelines.evaluation.robot_cloning.demonstrations import (
    Demonstration,
    choose_demonstrations,
    telling_words,
    told_numbers,
)


def store(**changes: list[Any]) -> Any:
    """Five views, of which two are demonstrations of ``lift``."""
    table = pd.DataFrame(
        {
            "id": ["e", "d", "c", "b", "a"],
            "trajectory": ["t/e", "t/d", "t/c", "t/b", "t/a"],
            "shard": "train/one.h5",
            "robot": ["world", "world", "other", "world", "world"],
            "split": ["train", "train", "train", "test", "train"],
            "camera": 0,
        }
    ).assign(**changes)
    told = EpisodeAnnotations(segments=(Segment(0, 5, "lift the cup", "lift"),), success=True)
    facts = SimpleNamespace(shards={"train/one.h5": "digest"})
    return SimpleNamespace(table=table, facts=facts, episode=lambda view: told)


def test_the_first_of_each_task_in_the_training_split_are_taken(caplog: pytest.LogCaptureFixture) -> None:
    found = choose_demonstrations(store(), "world", 0, 2)
    assert [one.view for one in found["lift"]] == ["a", "d"]
    assert found["lift"][0] == Demonstration("a", "t/a", "lift", "lift the cup", "digest/a")
    assert [one.view for one in choose_demonstrations(store(), "world", 0, 9)["lift"]] == ["a", "d", "e"]
    assert len(choose_demonstrations(store(), "world", 0, 2, most_of={"lift": 1, "push": 9})["lift"]) == 1
    with caplog.at_level(logging.WARNING):
        choose_demonstrations(store(), "world", 0, 9)
    assert "lift: there are 3 demonstrations, not 9" in caplog.text


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match="no demonstration of world by camera 3"):
        choose_demonstrations(store(), "world", 3, 2)
    with pytest.raises(ConfigurationError, match="push, of which there is no demonstration"):
        choose_demonstrations(store(), "world", 0, 2, ["push"])


def test_failed_episodes_are_no_demonstrations() -> None:
    own = store()
    failed = EpisodeAnnotations(segments=(Segment(0, 5, "lift the cup", "lift"),), success=False)
    own.episode = lambda view: failed
    with pytest.raises(ConfigurationError, match="no demonstration"):
        choose_demonstrations(own, "world", 0, 2)


def test_words_that_all_instructions_have_say_nothing() -> None:
    texts = ("put the red cup on the blue box", "put the blue cup on the red box", "put the cup on a box")
    shown = [Demonstration(text, text, "put", text, "") for text in texts]
    words = telling_words(shown)
    assert words == ("a", "blue", "red") and telling_words(shown[:1]) == ()
    assert told_numbers(texts[0], words).tolist() != told_numbers(texts[1], words).tolist()
    assert told_numbers("put the green cup", words).tolist() == [0] * 6
