"""Scores of sequences to a table of encoders."""

from pathlib import Path

import numpy as np
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.label_propagation.comparison import Comparison
from vidrep_pipelines.evaluation.label_propagation.davis import DavisScore
from vidrep_pipelines.evaluation.label_propagation.errors import ResultMismatchError
from vidrep_pipelines.evaluation.label_propagation.part_segmentation import segmentation_score
from vidrep_pipelines.evaluation.label_propagation.pck import JointDistances, pck
from vidrep_pipelines.evaluation.label_propagation.task_scores import (
    Arrays,
    davis_score,
    headline,
    read_scores,
    write_scores,
)

RNG = np.random.default_rng(3)


def davis_arrays(objects: int, frames: int, shift: float = 0.0) -> Arrays:
    values = RNG.random((2, objects, frames)) * 0.5 + shift
    return {"region": values[0], "contour": values[1]}


def test_davis_totals_are_the_toolkit_s() -> None:
    scores = {"a": davis_arrays(3, 9), "b": davis_arrays(1, 6), "c": davis_arrays(2, 7)}
    table = Comparison.of("davis", {"rsp": scores}).summary().set_index("measure")
    expected = DavisScore.of(davis_score(name, arrays) for name, arrays in scores.items()).totals()
    for name, value in expected.items():
        assert table.loc[name, "value"] == pytest.approx(100 * value, abs=1e-9)


def test_pck_is_that_of_all_videos_together() -> None:
    scores = {
        name: {"distance": RNG.random((15, frames)), "counted": RNG.random((15, frames)) > 0.2}
        for name, frames in (("a", 8), ("b", 20))
    }
    table = Comparison.of("jhmdb", {"rsp": scores}).summary().set_index("measure")["value"]
    expected = pck([JointDistances(one["distance"], one["counted"]) for one in scores.values()])
    for place, limit in enumerate((0.1, 0.2, 0.3, 0.4, 0.5)):
        assert table[f"PCK@{limit}"] == pytest.approx(expected.mean[place], abs=1e-9)
    assert table["excluded joints"] == pytest.approx(100 * expected.excluded_share, abs=1e-9)


def test_parts_share_one_confusion_matrix() -> None:
    counts = RNG.integers(1, 50, (3, 20, 20))
    scores = {str(number): {"with_given": one * 2, "without_given": one} for number, one in enumerate(counts)}
    table = Comparison.of("vip", {"rsp": scores}).summary().set_index("measure")["value"]
    expected = segmentation_score(counts.sum(axis=0))
    assert table["mIoU"] == pytest.approx(100 * float(expected.mean_iou), abs=1e-9)
    assert table["overall accuracy"] == pytest.approx(100 * float(expected.overall_accuracy), abs=1e-9)


def test_lead_cancels_what_is_hard_for_both() -> None:
    first = {str(number): davis_arrays(2, 8, shift=0.05 * number) for number in range(8)}
    second = {
        name: {side: values - 0.04 for side, values in arrays.items()} for name, arrays in first.items()
    }
    table = Comparison.of("davis", {"a": first, "b": second}).summary().set_index(["measure", "encoder"])
    row = table.loc[("J&F-Mean", "b")]
    assert row["high"] - row["low"] > 5
    assert row["lead_low"] == pytest.approx(4, abs=1e-6)
    assert row["lead_high"] == pytest.approx(4, abs=1e-6)


def test_only_sequences_with_results_of_all_encoders_are_compared() -> None:
    one, short = davis_arrays(1, 5), {"region": np.empty((1, 0)), "contour": np.empty((1, 0))}
    found = Comparison.of(
        "davis", {"a": {"x": one, "y": one, "short": short}, "b": {"y": one, "short": short}, "c": {}}
    )
    assert found.sequences == ("y",)
    assert found.without_result == ("c",)
    assert found.headlines()["a"].tolist() == [pytest.approx(100 * float(np.mean(list(one.values()))))]


def test_nothing_in_common_is_an_error() -> None:
    one = davis_arrays(1, 5)
    with pytest.raises(ResultMismatchError, match="no sequence"):
        Comparison.of("davis", {"a": {"x": one}, "b": {"y": one}})
    with pytest.raises(ResultMismatchError, match="no sequence"):
        Comparison.of("davis", {"a": {}})


def test_scores_come_back_from_their_file(tmp_path: Path) -> None:
    arrays = davis_arrays(2, 4)
    write_scores(tmp_path / "a.npz", arrays)
    found = read_scores(tmp_path / "a.npz")
    assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
    (tmp_path / "a.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"a\.npz"):
        read_scores(tmp_path / "a.npz")
    for damage in (b"PK\x03\x04 and no more", b""):
        (tmp_path / "a.npz").write_bytes(damage)
        with pytest.raises(InputError, match=r"a\.npz holds no scores"):
            read_scores(tmp_path / "a.npz")


def test_headline_of_nothing_is_none() -> None:
    lost = {"distance": np.ones((15, 4)), "counted": np.zeros((15, 4), bool)}
    assert headline("jhmdb", lost) is None
    assert headline("vip", {"without_given": np.zeros((20, 20), int)}) is None


def test_excluded_joints_are_a_share_of_the_annotated_ones() -> None:
    distance = np.full((15, 4), 0.05)
    distance[0, 2:] = np.nan
    counted = ~np.isnan(distance)
    counted[1] = False
    arrays = {"v": {"distance": distance, "counted": counted}}
    table = Comparison.of("jhmdb", {"rsp": arrays}).summary().set_index("measure")["value"]
    assert table["excluded joints"] == pytest.approx(100 * 4 / 58)
    assert table["PCK@0.1"] == 100


def test_objects_keep_their_numbers_in_tables() -> None:
    arrays = {**davis_arrays(2, 5), "objects": np.array([38, 75])}
    members = Comparison.of("davis", {"rsp": {"a": arrays}}).members()
    assert members["name"].tolist() == ["a_38", "a_75"]


def test_where_nothing_has_an_annotation_there_are_no_numbers() -> None:
    nothing = Comparison.of_nothing("davis", {"rsp": {}, "pixels": {}})
    assert nothing.summary().empty and nothing.members().empty
    assert list(nothing.headlines().columns) == ["rsp", "pixels"]
    assert nothing.headlines().empty
