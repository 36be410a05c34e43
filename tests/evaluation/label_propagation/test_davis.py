import math

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from tests.evaluation.label_propagation import davis_oracle
from vidrep_pipelines.data.label_sequences.images import write_labels
from vidrep_pipelines.evaluation.label_propagation.config import PropagationConfig
from vidrep_pipelines.evaluation.label_propagation.davis import DavisScore, score_sequence
from vidrep_pipelines.evaluation.label_propagation.errors import LabelImageError, ResultMismatchError
from vidrep_pipelines.evaluation.label_propagation.label_folder import LabelFolder
from vidrep_pipelines.evaluation.label_propagation.label_maps import first_labels, hard_labels
from vidrep_pipelines.evaluation.label_propagation.propagate import propagate


def moving_blocks(frames=6, height=48, width=64):
    """(T, H, W) with two objects."""
    maps = np.zeros((frames, height, width), dtype=np.uint8)
    for frame in range(frames):
        maps[frame, 5 + frame : 25 + frame, 8:30] = 1
        maps[frame, 30:44, 30 + 2 * frame : 46 + 2 * frame] = 2
    return maps


def save(folder, maps):
    for frame, labels in enumerate(maps):
        folder.mkdir(exist_ok=True)
        write_labels(folder / f"{frame:05d}.png", labels)
    return folder


@pytest.mark.parametrize("variant", ["dino", "videowalk"])
def test_saved_masks_of_a_run_score_as_an_independent_reader_says(tmp_path, variant):
    annotations = moving_blocks()
    annotations[2, :3] = 255
    truth = save(tmp_path / "truth", annotations)
    generator = torch.Generator().manual_seed(0)
    looks = torch.randn(3, 8, generator=generator)
    grids = torch.from_numpy(np.where(annotations == 255, 0, annotations)[:, ::4, ::4].astype(np.int64))
    features = looks[grids].permute(0, 3, 1, 2) + 0.4 * torch.randn(6, 8, 12, 16, generator=generator)
    config = PropagationConfig(variant=variant, radius=6, context_frames=3)
    first = first_labels(annotations[0], 12, 16, variant)
    soft = propagate(features, first, config)
    results = save(tmp_path / "results", [hard_labels(maps, (48, 64), (48, 64), variant) for maps in soft])

    found = score_sequence("blocks", LabelFolder.of(truth), LabelFolder.of(truth).counterpart(results))
    read = [
        np.stack([np.array(Image.open(path)) for path in sorted(folder.glob("*"))])
        for folder in (truth, results)
    ]
    region, contour = davis_oracle.score(*read)
    np.testing.assert_array_equal(found.region, region)
    np.testing.assert_allclose(found.contour, contour, atol=1e-15)
    assert 0.5 < region.mean() < 1


def test_perfect_results_have_perfect_scores():
    maps = moving_blocks()
    totals = DavisScore.of([score_sequence("blocks", maps, maps)]).totals()
    assert totals == {
        "J&F-Mean": 1, "J-Mean": 1, "J-Recall": 1, "J-Decay": 0, "F-Mean": 1, "F-Recall": 1, "F-Decay": 0
    }  # fmt: skip


def test_an_object_without_a_result_scores_zero_while_it_is_there():
    maps = moving_blocks()
    found = score_sequence("blocks", maps, np.where(maps == 2, 0, maps).astype(np.uint8))
    assert found.region.mean(axis=1).tolist() == [1, 0]
    assert found.contour.mean(axis=1).tolist() == [1, 0]


def test_void_of_the_annotation_is_background():
    maps = moving_blocks()
    marked = maps.copy()
    marked[:, 0] = 255
    found = score_sequence("blocks", marked, maps)
    assert len(found.region) == 2
    assert (found.region == 1).all()


def test_an_object_that_the_first_annotation_lacks_is_an_error_that_names_the_sequence():
    maps = moving_blocks()
    results = maps.copy()
    results[3, 0, 0] = 3
    with pytest.raises(ResultMismatchError, match=r"blocks, frame 3.*object 3.*2 objects"):
        score_sequence("blocks", maps, results)
    results[0], results[3] = results[3], maps[3]
    assert score_sequence("blocks", maps, results).evaluated, "the first frame is not evaluated"


def test_results_of_another_size_are_an_error():
    maps = moving_blocks()
    with pytest.raises(ResultMismatchError, match=r"blocks, frame 1.*64x40.*64x48"):
        score_sequence("blocks", maps, maps[:, :40])


def test_missing_frames_are_an_error_that_names_the_first(tmp_path):
    maps = moving_blocks()
    with pytest.raises(ResultMismatchError, match=r"blocks.*5 results for 6"):
        score_sequence("blocks", maps, maps[:5])
    truth, results = save(tmp_path / "truth", maps), save(tmp_path / "results", maps)
    (results / "00002.png").unlink()
    with pytest.raises(ResultMismatchError, match=r"1 of 6.*00002\.png"):
        LabelFolder.of(truth).counterpart(results)


def test_a_folder_without_images_is_an_error(tmp_path):
    with pytest.raises(LabelImageError, match=str(tmp_path)):
        LabelFolder.of(tmp_path)


def test_part_of_a_folder(tmp_path):
    folder = LabelFolder.of(save(tmp_path, moving_blocks()))
    assert [path.name for path in folder[1:3].paths] == ["00001.png", "00002.png"]
    np.testing.assert_array_equal(folder[4], moving_blocks()[4])


@pytest.mark.parametrize("frames", [1, 2])
def test_sequences_too_short_to_score_are_left_out_and_named(frames):
    maps = moving_blocks()
    short = score_sequence("short", maps[:frames], maps[:frames])
    score = DavisScore.of([short, score_sequence("blocks", maps, maps)])
    assert score.left_out == ("short",)
    assert score.totals()["J&F-Mean"] == 1
    with pytest.raises(ResultMismatchError, match="None of the 1 sequences"):
        DavisScore.of([short])


def test_a_first_annotation_without_objects_is_left_out():
    empty = np.zeros((4, 9, 9), dtype=np.uint8)
    assert not score_sequence("empty", empty, empty).evaluated


def test_totals_are_means_over_objects_not_sequences():
    maps = moving_blocks()
    one = np.where(maps == 1, 1, 0).astype(np.uint8)
    nothing = np.zeros_like(one)
    score = DavisScore.of([score_sequence("two", maps, maps), score_sequence("one", one, nothing)])
    assert score.totals()["J-Mean"] == pytest.approx(2 / 3)


def test_tables_are_laid_out_as_the_toolkits(tmp_path):
    maps = moving_blocks()
    score = DavisScore.of([score_sequence("blocks", maps, np.roll(maps, 2, axis=1))])
    paths = score.write(tmp_path)
    assert [path.name for path in paths] == ["global_results-val.csv", "per-sequence_results-val.csv"]
    head, row = paths[0].read_text().splitlines()
    assert head == "J&F-Mean,J-Mean,J-Recall,J-Decay,F-Mean,F-Recall,F-Decay"
    assert all(len(value.split(".")[1]) == 3 for value in row.split(","))
    objects = pd.read_csv(paths[1])
    assert list(objects.columns) == ["Sequence", "J-Mean", "F-Mean"]
    assert list(objects["Sequence"]) == ["blocks_1", "blocks_2"]
    assert math.isclose(objects["J-Mean"].mean(), score.totals()["J-Mean"], abs_tol=1e-3)


def test_tables_that_toolkits_read_hold_the_exact_names(tmp_path):
    maps = moving_blocks()
    path = DavisScore.of([score_sequence("-blocks", maps, maps)]).write(tmp_path)[1]
    assert list(pd.read_csv(path)["Sequence"]) == ["-blocks_1", "-blocks_2"]


def test_objects_are_those_of_the_first_mask_whatever_their_numbers_are():
    """Numbers in between are no objects: they would agree in every frame by being absent."""
    maps = moving_blocks()
    results = np.roll(maps, 5, axis=2)
    numbers = np.array([0, 38, 75], dtype=np.uint8)
    expected, found = (
        score_sequence("blocks", maps, results),
        score_sequence("gaps", numbers[maps], numbers[results]),
    )
    np.testing.assert_array_equal(found.region, expected.region)
    np.testing.assert_array_equal(found.contour, expected.contour)
    assert expected.object_names() == ["blocks_1", "blocks_2"]
    assert found.object_names() == ["gaps_38", "gaps_75"]
    assert DavisScore.of([found]).totals() == DavisScore.of([expected]).totals()


def test_a_result_with_a_number_in_between_is_an_error():
    maps = np.array([0, 38, 75], dtype=np.uint8)[moving_blocks()]
    results = maps.copy()
    results[2, 0, 0] = 50
    with pytest.raises(
        ResultMismatchError, match=r"object 50, but the first annotation has 2 objects: 38, 75"
    ):
        score_sequence("gaps", maps, results)


def test_objects_that_appear_later_do_not_count():
    maps = moving_blocks()
    later = maps.copy()
    later[3:, :4, :4] = 5
    found = score_sequence("later", later, maps)
    assert found.object_names() == ["later_1", "later_2"]
    assert (found.region == 1).all()


def test_frames_without_zeros_are_in_the_order_of_their_numbers(tmp_path):
    folder = save(tmp_path / "padded", moving_blocks(12))
    for path in list(folder.iterdir()):
        path.rename(folder / f"{int(path.stem)}.png")
    (folder / "._3.png").write_bytes(b"left by a Mac")
    np.testing.assert_array_equal(list(LabelFolder.of(folder)), moving_blocks(12))
