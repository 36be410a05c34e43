"""Maps of any network as features."""

import pytest
import torch
from torch import nn

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.evaluation.encoders.feature_maps import FeatureMapEncoder

NETWORK = nn.AvgPool2d(4)


def test_cells_are_averages_of_positions() -> None:
    images = torch.rand(2, 3, 16, 24)
    fine = FeatureMapEncoder("fine", NETWORK, network_stride=4)
    coarse = FeatureMapEncoder("coarse", NETWORK, network_stride=4, cell=8)
    assert (fine.stride, coarse.stride) == (4, 8)
    torch.testing.assert_close(fine.patch_features(images), NETWORK(images))
    torch.testing.assert_close(coarse.patch_features(images), nn.AvgPool2d(8)(images))


@pytest.mark.parametrize("cell", [2, 6])
def test_cell_is_a_multiple_of_the_stride(cell: int) -> None:
    with pytest.raises(ConfigurationError, match=r"known\.mine\.cell"):
        FeatureMapEncoder("mine", NETWORK, network_stride=4, cell=cell)


def test_images_of_other_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="cells of 8 pixels"):
        FeatureMapEncoder("mine", NETWORK, network_stride=4, cell=8).patch_features(torch.rand(1, 3, 12, 16))
