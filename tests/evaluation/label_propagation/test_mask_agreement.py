import numpy as np
import pytest
from benchmarks.reference.davis_published import published_contour, published_region
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evaluation.label_propagation import davis_oracle
from vidrep_pipelines.evaluation.label_propagation.mask_agreement import (
    agreement,
    boundary,
    boundary_tolerance,
)


@st.composite
def pairs_of_masks(draw):
    """Two masks of one size: speckled, blocks, empty, or full."""
    height, width = draw(st.integers(2, 14)), draw(st.integers(2, 14))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    masks = []
    for _ in range(2):
        mask = np.zeros((height, width), dtype=bool)
        kind = draw(st.sampled_from(["speckled", "block", "empty", "full"]))
        if kind == "speckled":
            mask = rng.random((height, width)) < rng.random()
        elif kind == "block":
            top, left = rng.integers(0, height), rng.integers(0, width)
            mask[top : top + rng.integers(1, height + 1), left : left + rng.integers(1, width + 1)] = True
        masks.append(mask | (kind == "full"))
    return masks


@settings(deadline=None, max_examples=150)
@given(pairs_of_masks(), st.integers(0, 5))
def test_both_measures_follow_their_definition(masks, tolerance):
    truth, predicted = masks
    region, contour = agreement(truth, predicted, tolerance)
    assert region == davis_oracle.region(truth, predicted)
    assert contour == pytest.approx(davis_oracle.contour(truth, predicted, tolerance), abs=1e-15)


@given(pairs_of_masks())
def test_boundaries_follow_their_definition(masks):
    found = {(int(y), int(x)) for y, x in np.argwhere(boundary(masks[0]))}
    assert found == davis_oracle.edge(masks[0])


def test_large_masks_agree_with_the_published_form():
    rows, columns = np.mgrid[:240, :427]
    truth = np.hypot(rows - 120, columns - 200) < 60 + 8 * np.sin(columns / 7)
    predicted = np.hypot(rows - 126, columns - 210) < 55 + 9 * np.sin(rows / 5)
    region, contour = agreement(truth, predicted, boundary_tolerance(240, 427))
    assert region == published_region(truth, predicted)
    assert contour == published_contour(truth, predicted)
    assert 0.2 < contour < 0.99


@pytest.mark.parametrize(("size", "pixels"), [((480, 854), 8), ((480, 880), 9), ((480, 910), 9)])
def test_the_tolerance_follows_the_diagonal(size, pixels):
    assert boundary_tolerance(*size) == pixels
