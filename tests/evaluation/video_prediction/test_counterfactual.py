from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from tests.helpers.video_prediction import (
    COPYING,
    FRAMES,
    TruthOf,
    predicting,
    swapped,
    table_of,
    unit,
)
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.video_prediction.counterfactual import (
    MEASURES,
    ObjectChange,
    judge_table,
    object_changes,
)
from vidrep_pipelines.evaluation.video_prediction.counterfactual_scores import judge_tables
from vidrep_pipelines.evaluation.video_prediction.tables import CounterfactualTable

MOVED = ObjectChange(0.6, 1.0)


def tables() -> tuple[CounterfactualTable, CounterfactualTable]:
    """Rendered when a test asks for them: whoever collects tests imports this module."""
    return table_of(0), table_of(1)


def shares(predict: Callable[..., Tensor]) -> pd.Series:
    judged = judge_tables(tables(), predicting(predict), MOVED, (0,), batch_size=5)
    return judged[judged["predictor"] == "model"][list(MEASURES)].mean()


def test_the_truth_is_judged_perfect() -> None:
    own = shares(TruthOf(tables()))
    perfect = ["nearest_last", "nearest_all", "right_object", "right_object_change", "named_object_moves"]
    assert own[perfect].tolist() == [1] * 5
    assert own[["other_object_moves", "moves_when_other_is_named"]].tolist() == [0, 0]


def test_a_copied_first_frame_is_at_the_floor() -> None:
    own = shares(COPYING.predict)
    chance = np.mean([1 / len(table.texts) for table in tables() for _ in table.texts])
    # One and the same picture is nearest to one truth of each table, or, where truths tie, to none.
    assert own["nearest_last"] <= chance + 1e-9
    assert own["named_object_moves"] == own["other_object_moves"] == own["right_object_change"] == 0
    assert 0.2 < own["right_object"] < 0.8


def test_exchanged_objects_are_judged_wrong() -> None:
    own = shares(TruthOf(tables(), swapped))
    assert own["right_object"] == own["right_object_change"] == own["nearest_last"] == 0
    assert own["moves_when_other_is_named"] == 1
    assert own["named_object_moves"] < 0.2 and own["other_object_moves"] == 1


def test_chance_is_one_of_the_instructions_and_one_of_the_objects() -> None:
    table = table_of(0)
    judged = judge_table(table, unit(table.truths), MOVED)
    assert (judged["chance_nearest"] == 1 / len(table.texts)).all()
    assert (judged["chance_object"] == 0.5).all()
    assert set(judged["combination"]) == {"train", "held_out"}
    assert judged["text"].tolist() == table.texts


def test_ties_count_against_the_prediction() -> None:
    table = table_of(0)
    truths = table.truths.copy()
    truths[1] = truths[0]
    same = type(table)(table.name, table.instructions, truths, table.masks)
    judged = judge_table(same, unit(truths), MOVED)
    assert judged["nearest_last"].tolist() == [0, 0, *[1] * (len(table.texts) - 2)]


def test_changes_are_shares_of_what_moving_changes() -> None:
    table = table_of(0)
    changes = object_changes(table, table.truths / 255)
    for number, name in enumerate(table.objects):
        assert changes[table.named == name, number].mean() == pytest.approx(1)
        assert changes[table.named != name, number].max() < 0.6
    np.testing.assert_allclose(object_changes(table, table.truths[:1, [0, 0]] / 255), 0, atol=1e-6)


def test_what_a_codec_blurs_is_no_change() -> None:
    table = table_of(0)
    blurred = torch.nn.functional.avg_pool2d(unit(table.truths).flatten(0, 1), 3, 1, 1)
    judged = judge_table(table, blurred.unflatten(0, table.truths.shape[:2]), MOVED)
    assert judged["right_object_change"].mean() == 1 and judged["other_object_moves"].mean() == 0


def test_without_calibration_some_questions_get_no_answer() -> None:
    table = table_of(0)
    answered = judge_table(table, unit(table.truths), MOVED)
    judged = judge_table(table, unit(table.truths), None)
    unanswered = ["named_object_moves", "other_object_moves"]
    assert judged[unanswered].isna().all(axis=None)
    pd.testing.assert_frame_equal(judged.drop(columns=unanswered), answered.drop(columns=unanswered))


def test_calibration_separates_moved_from_unmoved_truths() -> None:
    moved = ObjectChange.calibrated(tables())
    assert 0.2 < moved.threshold < 0.95 and moved.balanced_accuracy == 1
    with pytest.raises(InputError, match=r"counterfactuals\.calibration_split"):
        ObjectChange.calibrated(())


def test_predictions_of_another_size_are_refused() -> None:
    with pytest.raises(InputError, match="the truths of table_0"):
        judge_table(table_of(0), torch.zeros(1, FRAMES, 3, 32, 32), MOVED)
