import numpy as np
import pytest
import torch

from vidrep_pipelines.evaluation.label_propagation.errors import LabelImageError
from vidrep_pipelines.evaluation.label_propagation.label_maps import (
    first_labels,
    hard_labels,
    vanished_objects,
    without_void,
)


def scene():
    """(40, 60) with object 1 large and object 2 of a single pixel, between the cells of a 4x6 grid."""
    labels = np.zeros((40, 60), dtype=np.uint8)
    labels[10:30, 10:40] = 1
    labels[2, 2] = 2
    return labels


def test_void_counts_as_background():
    labels = scene()
    labels[0] = 255
    assert set(np.unique(without_void(labels))) == {0, 1, 2}
    assert first_labels(labels, 4, 6, "videowalk").shape == (3, 4, 6)
    assert labels[0, 0] == 255, "the caller's map stays as it is"


def test_an_object_smaller_than_a_cell_is_lost_and_reported():
    on_grid = first_labels(scene(), 4, 6, "dino")
    assert on_grid.shape == (2, 4, 6)
    assert vanished_objects(scene(), on_grid) == [2]


def test_a_vanished_object_below_another_one_keeps_its_empty_channel():
    labels = np.where(scene() == 1, np.uint8(3), scene())
    on_grid = first_labels(labels, 4, 6, "dino")
    assert on_grid.sum(dim=(1, 2)).tolist() == [24 - 6, 0, 0, 6]
    assert vanished_objects(labels, on_grid) == [2]


def test_videowalk_keeps_a_channel_per_label_and_soft_borders():
    labels = np.zeros((8, 8), dtype=np.uint8)
    labels[:, 3:] = 2
    on_grid = first_labels(labels, 4, 4, "videowalk")
    assert on_grid.shape == (3, 4, 4)
    assert on_grid[2, 0].tolist() == [0, 0.5, 1, 1]
    torch.testing.assert_close(on_grid.sum(dim=0), torch.ones(4, 4))


def test_dino_stretches_each_channel_before_the_largest_wins():
    soft = torch.tensor([[[0.9, 0.7]], [[0.1, 0.3]]])
    assert hard_labels(soft, (1, 2), (1, 2), "dino").tolist() == [[0, 1]]
    assert hard_labels(soft, (1, 2), (1, 2), "videowalk").tolist() == [[0, 0]]


def test_dinov3_goes_to_the_pixels_by_nearest_neighbor_and_a_constant_label_loses():
    soft = torch.tensor([[[0.9, 0.7]], [[0.1, 0.3]]])
    assert hard_labels(soft, (9, 9), (2, 5), "dinov3").tolist() == [[0, 0, 0, 1, 1]] * 2
    covered = torch.stack([torch.zeros(2, 3), torch.ones(2, 3)])
    assert (hard_labels(covered, (4, 6), (5, 7), "dinov3") == 0).all()


def test_a_label_that_covers_the_whole_frame_wins():
    soft = torch.stack([torch.zeros(2, 3), torch.ones(2, 3)])
    assert (hard_labels(soft, (4, 6), (5, 7), "dino") == 1).all()


def test_labels_come_back_in_the_original_size():
    soft = first_labels(scene(), 20, 30, "dino")
    found = hard_labels(soft, (40, 60), (41, 67), "dino")
    assert (found.shape, found.dtype) == ((41, 67), np.uint8)
    assert set(np.unique(found)) <= {0, 1, 2}


def test_more_labels_than_an_image_can_hold_are_refused():
    with pytest.raises(LabelImageError, match="300 labels"):
        hard_labels(torch.zeros(300, 2, 2), (2, 2), (2, 2), "dino")
