import math

import numpy as np
import pytest

from vidrep_pipelines.evaluation.label_propagation.frame_statistics import frame_statistics


def test_quarters_share_a_frame():
    values = np.array([1.0, 0.8, 0.6, 0.4, 0.2])
    found = frame_statistics(values)
    assert found.mean == pytest.approx(0.6)
    assert found.recall == pytest.approx(0.6)
    assert found.decay == pytest.approx((1.0 + 0.8) / 2 - (0.4 + 0.2) / 2)


def test_one_value_decays_by_nothing():
    found = frame_statistics(np.array([0.7]))
    assert (found.mean, found.recall, found.decay) == (0.7, 1.0, 0.0)


def test_what_is_not_a_number_counts_in_no_mean_and_is_not_recalled():
    found = frame_statistics(np.array([0.9, math.nan, 0.9, 0.9]))
    assert found.mean == pytest.approx(0.9)
    assert found.recall == pytest.approx(0.75)
    assert math.isnan(frame_statistics(np.array([math.nan])).mean)


def test_decay_of_a_long_sequence_does_not_overflow():
    values = np.linspace(1, 0, 401)
    assert frame_statistics(values).decay == pytest.approx(0.75)
