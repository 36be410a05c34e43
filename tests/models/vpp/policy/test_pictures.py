import numpy as np
import torch

from vidrep_pipelines.models.vpp.policy.pictures import chunk_sheet


def test_a_sheet_shows_where_the_policy_differs() -> None:
    truth = torch.linspace(-1, 1, 2 * 5 * 3).reshape(2, 5, 3)
    same = np.asarray(chunk_sheet(truth, truth, ["push it", "lift it"]))
    other = np.asarray(chunk_sheet(truth, -truth, ["push it", "lift it"]))
    assert same.shape == other.shape and (same != other).any(axis=2).mean() > 0.003


def test_many_numbers_are_cut_to_the_first_ones() -> None:
    few, many = (chunk_sheet(*[torch.zeros(1, 4, count)] * 2, ["x"]) for count in (8, 38))
    assert few.size == many.size
