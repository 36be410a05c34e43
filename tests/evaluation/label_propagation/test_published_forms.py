"""What the benchmarks compare with computes the same."""

import numpy as np
import pytest
import torch
from benchmarks.davis_jf import label_maps
from benchmarks.reference.davis_published import published_scores
from benchmarks.reference.label_propagation_published import published_propagation, published_window
from torch.nn import functional as F

from vidrep_pipelines.evaluation.label_propagation.config import PropagationConfig
from vidrep_pipelines.evaluation.label_propagation.davis import score_sequence
from vidrep_pipelines.evaluation.label_propagation.neighborhood import window
from vidrep_pipelines.evaluation.label_propagation.propagate import propagate


@pytest.mark.parametrize("radius", [1, 3, 9])
def test_windows(radius):
    published = published_window(4, 7, radius)
    assert torch.equal(published.bool(), window(4, 7, radius, "dino"))


@pytest.mark.parametrize("radius", [0, 2])
def test_propagation(radius):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(7, 12, 5, 8, generator=generator)
    first = F.one_hot(torch.randint(3, (5, 8), generator=generator), 3).permute(2, 0, 1).float()
    config = PropagationConfig(radius=radius, context_frames=3, block_bytes=2000)
    mask = published_window(5, 8, radius) if radius else None
    published = list(published_propagation(features, first, mask, 7, 3, 0.1))
    ours = list(propagate(features, first, config))[1:]
    torch.testing.assert_close(torch.stack(ours), torch.stack(published), atol=1e-5, rtol=0)


def test_scores_of_masks():
    annotations, results = label_maps(0, frames=4), label_maps(1, frames=4)
    region, contour = published_scores(annotations, results)
    ours = score_sequence("moving", annotations, results)
    np.testing.assert_array_equal(ours.region, region)
    np.testing.assert_array_equal(ours.contour, contour)
