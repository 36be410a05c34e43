import numpy as np
import pytest

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.sample_world.tabletop import TabletopConfig
from vidrep_pipelines.data.sample_world.tabletop_episodes import Tabletop
from vidrep_pipelines.reporting.tabletop import instruction_sheet, outlined


def test_the_sheet_has_a_row_for_each_instruction() -> None:
    table = Tabletop(TabletopConfig(cameras=("side",)), 0)
    one, two = table.record(table.instructions[0]), table.record(table.instructions[2])
    single, double = instruction_sheet([one], "side", 5), instruction_sheet([one, two], "side", 5)
    assert single.width == double.width > 5 * 160
    assert 160 < double.height - single.height < 2 * 160
    with pytest.raises(ConfigurationError, match="front"):
        instruction_sheet([one], "front")
    with pytest.raises(ConfigurationError, match="no episode"):
        instruction_sheet([])


def test_the_outline_surrounds_the_object_and_leaves_it_as_it_is() -> None:
    frame = np.full((160, 160, 3), 90, np.uint8)
    mask = np.zeros((160, 160), bool)
    mask[40:80, 50:90] = True
    shown = outlined(frame, mask)
    white = (shown == 255).all(-1)
    assert white.any() and not (white & mask).any()
    rows, columns = np.nonzero(white)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (38, 81, 48, 91)
    assert (shown[~white] == 90).all()
