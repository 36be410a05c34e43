from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest
from pydantic import ValidationError

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.episode import NO_ANNOTATIONS, EpisodeAnnotations, Segment
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.evaluation.video_prediction.config import PredictVideoConfig
from vidrep_pipelines.evaluation.video_prediction.selection import chosen_episodes

ROWS = pd.DataFrame(
    [(f"{robot}/{number}_{camera}", f"{robot}/{number}", robot, camera, 20, split)
     for robot in ("bridge", "rt1") for number, split in enumerate(("train", "validation", "validation"))
     for camera in (0, 1)],
    columns=["id", "trajectory", "robot", "camera", "frames", "split"],
)  # fmt: skip
SAID = EpisodeAnnotations((Segment(0, 20, "push"),))


def store_of(rows: pd.DataFrame = ROWS, said: EpisodeAnnotations = SAID) -> FrameStore:
    return cast(
        FrameStore,
        SimpleNamespace(
            folder="store",
            table=rows,
            select=lambda split: store_of(rows[rows["split"] == split], said),
            episode=lambda view: said,
        ),
    )


def chosen(store: FrameStore | None = None, **options: Any) -> list[tuple[str, str]]:
    episodes = chosen_episodes(store or store_of(), PredictVideoConfig(**options), 4)
    assert all(episode.frames.tolist() == [5, 7, 9, 11] for episode in episodes)
    return [(episode.view, episode.text) for episode in episodes]


def test_without_names_some_of_every_data_set_are_predicted() -> None:
    assert chosen(limit=1) == [("bridge/1_0", "push"), ("rt1/1_0", "push")]
    assert len(chosen()) == 4 and len(chosen(split=None)) == 6


def test_numbers_count_the_episodes_of_the_split() -> None:
    assert chosen(numbers={"rt1": "1+0"}) == [("rt1/2_0", "push"), ("rt1/1_0", "push")]
    assert chosen(trajectories=("bridge/0",), camera=1) == [("bridge/0_1", "push")]


def test_new_instructions_replace_those_of_the_data() -> None:
    assert {text for _, text in chosen(instructions="lift")} == {"lift"}
    one = dict(chosen(numbers={"rt1": "0+1"}, instructions={"rt1/2": "lift"}))
    assert one == {"rt1/1_0": "push", "rt1/2_0": "lift"}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"trajectories": ["bridge/9"]}, InputError, r"no episode 'bridge/9'. Did you mean 'bridge/"),
        ({"numbers": {"bridge": "0+2"}}, ConfigurationError, "'2' is no number from 0 to 1"),
        ({"numbers": {"bridge": "0,1"}}, ConfigurationError, r"Write them like 0\+3\+17"),
        ({"numbers": {"brigde": "0"}}, ConfigurationError, "no data set 'brigde'. Did you mean 'bridge'"),
        ({"camera": 7}, ConfigurationError, r"'bridge/1' has no camera 7, only \[0, 1\]"),
        ({"instructions": {"rt9": "lift"}}, ConfigurationError, "prediction.instructions is for 'rt9'"),
        ({"frames": {"start": 19}}, InputError, "bridge/1: an episode of 20 frames has nothing to predict"),
    ],
)
def test_impossible_choices_are_named(options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        chosen(**options)


def test_silent_episodes_need_an_instruction() -> None:
    silent = store_of(said=NO_ANNOTATIONS)
    with pytest.raises(InputError, match="bridge/1: nothing says what is to be done"):
        chosen(silent)
    assert chosen(silent, numbers={"rt1": "0"}, instructions="lift") == [("rt1/1_0", "lift")]


@pytest.mark.parametrize("instructions", [" ", {"a": ""}])
def test_empty_instructions_are_refused(instructions: Any) -> None:
    with pytest.raises(ValidationError, match="an instruction is empty"):
        PredictVideoConfig(instructions=instructions)
