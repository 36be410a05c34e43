import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from tests.evaluation.video_prediction.test_selection import ROWS, SAID, store_of
from tests.helpers.video_prediction import drifting
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.episode import NO_ANNOTATIONS, EpisodeAnnotations, Segment
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.evaluation.video_prediction.clips import PredictedClips, instruction_of
from vidrep_pipelines.evaluation.video_prediction.config import VideoEvaluationConfig

CONFIG = VideoEvaluationConfig(split="validation")


def rule(data_set: str, length: int) -> NDArray[np.int64] | None:
    return np.arange(3) if data_set == "bridge" else None


def selectable(said: EpisodeAnnotations = SAID) -> FrameStore:
    store = store_of(ROWS, said)
    own = store_of(ROWS[ROWS["split"] == "validation"], said)
    store.select = lambda split, selection: own  # type: ignore[method-assign,assignment,return-value]
    return store


def test_a_clip_of_each_episode_that_the_rule_cuts() -> None:
    clips = PredictedClips.of(selectable(), CONFIG, rule)
    assert clips.rows["id"].tolist() == ["bridge/1_0", "bridge/2_0"]
    assert clips.frames.tolist() == [[0, 1, 2]] * 2 and set(clips.rows["text"]) == {"push"}
    every = PredictedClips.of(selectable(), CONFIG.model_copy(update={"every_camera": True}), rule)
    assert len(every) == 4
    assert len(PredictedClips.of(selectable(), CONFIG.model_copy(update={"limit": 1}), rule)) == 1


def test_nothing_to_predict_is_said() -> None:
    with pytest.raises(InputError, match="None of the 4 views of the split 'validation'"):
        PredictedClips.of(selectable(NO_ANNOTATIONS), CONFIG, rule)


def test_batches_are_of_one_data_set_and_hold_all_clips() -> None:
    clips = drifting()
    batches = list(clips.batches(3))
    assert [len(rows) for rows, _ in batches] == [3, 1, 2]
    assert pd.concat([rows for rows, _ in batches])["id"].tolist() == clips.rows["id"].tolist()
    assert batches[2][1].shape == (2, 3, 16, 16, 3)
    np.testing.assert_array_equal(batches[1][1][0], clips.store.frames("3", np.arange(3)))


def test_the_digest_changes_with_what_is_told() -> None:
    clips = drifting()
    other = PredictedClips(clips.store, clips.rows.assign(text="stop"), clips.frames)
    assert clips.digest != other.digest and clips.digest == drifting().digest


def test_instructions_hold_for_their_frames() -> None:
    said = EpisodeAnnotations((Segment(2, 4, "push"), Segment(4, 9, "lift")))
    assert [instruction_of(said, frame) for frame in (0, 3, 5)] == ["push", "push", "lift"]
    assert instruction_of(NO_ANNOTATIONS, 0) is None
